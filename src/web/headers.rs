//! The headers of a request, wherever they lie.
//!
//! Guarantees that looking one up copies nothing, finds a name in any spelling, and gives the empty value for a header that
//! is not there. Knows no header's meaning.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers as hyper read them, or as they lie where a connection was read to.
#[derive(Clone, Copy, Debug)]
pub enum Headers<'a> {
    /// In a map.
    Map(&'a HeaderMap),
    /// In a row, as they came.
    Row(Row<'a>),
}

/// Most headers in a row.
pub const MOST: usize = 64;

/// Headers as they came.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    headers: &'a [httparse::Header<'a>],
    /// How long their names are, beside each other.
    lengths: [u8; MOST],
    /// A bit for each length that is among them: most headers that are looked for are not there, and mostly this shows
    /// it at once.
    there: u64,
}

impl<'a> Row<'a> {
    /// Over these; what is beyond [`MOST`] is not seen.
    #[must_use]
    pub fn new(headers: &'a [httparse::Header<'a>]) -> Row<'a> {
        let (mut lengths, mut there) = ([0; MOST], 0);
        for (length, header) in lengths.iter_mut().zip(headers) {
            *length = short(header.name);
            there |= bit(*length);
        }
        Row { headers, lengths, there }
    }

    fn lines(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let length = short(name);
        let amount = if self.there & bit(length) == 0 { 0 } else { self.headers.len() };
        let all = self.lengths.iter().take(amount).zip(self.headers);
        let named = move |header: &httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        all.filter(move |(of, header)| **of == length && named(header)).map(|(_, header)| header.value)
    }
}

/// The length of a name, as far as a byte can say it.
fn short(name: &str) -> u8 {
    u8::try_from(name.len()).unwrap_or(u8::MAX)
}

/// The bit of a length; all that are longer share the last.
fn bit(length: u8) -> u64 {
    1 << length.min(63)
}

impl<'a> Headers<'a> {
    /// The first header of this name; empty where there is none.
    #[must_use]
    #[inline]
    pub fn get(self, name: &HeaderName) -> &'a [u8] {
        match self {
            Headers::Map(map) => map.get(name).map_or(b"", HeaderValue::as_bytes),
            Headers::Row(row) => row.lines(name.as_str()).next().unwrap_or_default(),
        }
    }

    /// True if there is one of this name, empty or not.
    #[must_use]
    #[inline]
    pub fn has(self, name: &HeaderName) -> bool {
        match self {
            Headers::Map(map) => map.contains_key(name),
            Headers::Row(row) => row.lines(name.as_str()).next().is_some(),
        }
    }

    /// All headers of this name, the last one first, each until `see` says that it was the last to be seen.
    pub fn each_from_the_last(self, name: &HeaderName, mut see: impl FnMut(&'a [u8]) -> bool) {
        match self {
            Headers::Map(map) => {
                map.get_all(name).iter().rev().all(|value| see(value.as_bytes()));
            }
            Headers::Row(row) => {
                row.lines(name.as_str()).rev().all(see);
            }
        }
    }

    /// A map of its own.
    #[must_use]
    pub fn to_map(self) -> HeaderMap {
        match self {
            Headers::Map(map) => map.clone(),
            Headers::Row(row) => {
                let pairs = row.headers.iter().filter_map(|header| {
                    let name = HeaderName::try_from(header.name).ok()?;
                    Some((name, HeaderValue::try_from(header.value).ok()?))
                });
                let mut map = HeaderMap::with_capacity(row.headers.len());
                for (name, value) in pairs {
                    map.append(name, value);
                }
                map
            }
        }
    }
}

impl<'a> From<&'a HeaderMap> for Headers<'a> {
    fn from(map: &'a HeaderMap) -> Headers<'a> {
        Headers::Map(map)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, DNT, USER_AGENT};

    use super::*;

    #[test]
    fn both_kinds_are_alike() {
        let long = "x".repeat(300);
        let row = [
            httparse::Header { name: "user-Agent", value: b"Firefox" },
            httparse::Header { name: "DNT", value: b"1" },
            httparse::Header { name: "dnt", value: b"0" },
            httparse::Header { name: "no name", value: b"x" },
            httparse::Header { name: &long, value: b"long" },
        ];
        let row = Headers::Row(Row::new(&row));
        let map = row.to_map();
        assert_eq!(map.len(), 4);
        for headers in [row, Headers::from(&map)] {
            assert_eq!(headers.get(&USER_AGENT), b"Firefox");
            assert_eq!((headers.get(&DNT), headers.get(&ACCEPT)), (&b"1"[..], &b""[..]));
            assert!(headers.has(&DNT) && !headers.has(&ACCEPT));
            assert_eq!(headers.get(&HeaderName::try_from(&long).unwrap()), b"long");
            assert!(!headers.has(&HeaderName::try_from("x".repeat(100)).unwrap()));
            let mut seen = vec![];
            headers.each_from_the_last(&DNT, |line| {
                seen.push(line);
                true
            });
            assert_eq!(seen, [b"0", b"1"]);
            headers.each_from_the_last(&DNT, |line| {
                assert_eq!(line, b"0");
                false
            });
        }
    }
}
