//! Client hints and what else a request says of its browser: packed on the request path, read when classifying.
//!
//! Packed are, one a line: `Sec-CH-UA`, `Sec-CH-UA-Mobile`, `Sec-CH-UA-Platform`, `X-Requested-With` (in which an
//! Android app names itself). Guarantees at most [`MAX_HINTS`] bytes, and none where a request has none of them.

/// Longest packed hints, in bytes: their length fits into one byte.
pub const MAX_HINTS: usize = 255;

/// Most bytes of each header.
const ROOM: [usize; 4] = [160, 3, 24, 65];

/// Packed hints, on the stack.
#[derive(Clone, Copy)]
pub struct Hints {
    len: u8,
    bytes: [u8; MAX_HINTS],
}

impl Hints {
    /// None.
    pub const NONE: Hints = Hints { len: 0, bytes: [0; MAX_HINTS] };

    /// Packs the values of `Sec-CH-UA`, `Sec-CH-UA-Mobile`, `Sec-CH-UA-Platform` and `X-Requested-With`.
    #[must_use]
    pub fn pack(values: [&[u8]; 4]) -> Hints {
        let mut hints = Hints::NONE;
        if values.iter().all(|value| value.is_empty()) {
            return hints;
        }
        let mut at = 0;
        for (i, (value, room)) in values.into_iter().zip(ROOM).enumerate() {
            let cut = &value[..value.len().min(room)];
            hints.bytes[at..at + cut.len()].copy_from_slice(cut);
            at += cut.len();
            if i + 1 < ROOM.len() {
                hints.bytes[at] = b'\n';
                at += 1;
            }
        }
        hints.len = u8::try_from(at).unwrap_or(u8::MAX);
        hints
    }

    /// What the journal keeps.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Hints as read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// The browser's own brand, if it has one besides Chromium's.
    pub(super) brand: Option<String>,
    /// `Sec-CH-UA-Mobile`.
    pub(super) mobile: Option<bool>,
    /// `Sec-CH-UA-Platform`, lower case; "" for none.
    pub(super) platform: String,
    /// The Android app, lower case; "" for none.
    pub(super) package: String,
}

/// Brands that say nothing of the browser.
const COMMON: [&str; 3] = ["chromium", "google chrome", "chrome"];

/// Reads packed hints. Total: what cannot be read is not there.
pub(super) fn read(packed: &[u8]) -> Read {
    let mut lines = packed.split(|b| *b == b'\n').map(|line| String::from_utf8_lossy(line));
    let mut next = || lines.next().unwrap_or_default();
    let (brands, mobile) = (next(), next());
    let platform = next().trim_matches(['"', ' ']).to_ascii_lowercase();
    let package = next().trim().to_ascii_lowercase();
    Read {
        brand: brand(&brands),
        mobile: match mobile.trim() {
            "?1" => Some(true),
            "?0" => Some(false),
            _ => None,
        },
        platform,
        // Scripts say so, and it is no app.
        package: if package == "xmlhttprequest" { String::new() } else { package },
    }
}

/// The first brand in `"Chromium";v="142", "Brave";v="142", "Not_A Brand";v="99"` that names a browser.
fn brand(brands: &str) -> Option<String> {
    brands.split(',').find_map(|item| {
        let name = item.trim().strip_prefix('"')?.split('"').next()?;
        let lower = name.to_ascii_lowercase();
        // "Not A(Brand" and the like are there to keep readers of brands honest.
        let filler = lower.contains("not") && lower.contains("brand");
        (!filler && !name.is_empty() && !COMMON.contains(&lower.as_str()))
            .then(|| super::text::value(name, 40))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_packed_and_read() {
        let brands = br#""Chromium";v="142", "Brave";v="142", "Not_A Brand";v="99""#;
        let packed = Hints::pack([brands, b"?1", b"\"Android\"", b"com.facebook.katana"]);
        let expected = Read {
            brand: Some("Brave".into()),
            mobile: Some(true),
            platform: "android".into(),
            package: "com.facebook.katana".into(),
        };
        assert_eq!(read(packed.as_bytes()), expected);
        assert_eq!(read(Hints::pack([b"", b"", b"", b"XMLHttpRequest"]).as_bytes()), Read::default());
        assert_eq!(read(b"\xff\n\xff"), Read::default());
    }

    #[test]
    fn hints_are_bounded() {
        assert!(Hints::pack([b"", b"", b"", b""]).as_bytes().is_empty());
        let long = [b'x'; 5000];
        assert_eq!(Hints::pack([&long; 4]).as_bytes().len(), MAX_HINTS);
    }
}
