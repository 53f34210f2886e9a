//! A body, unpacked as it comes.
//!
//! Guarantees at most [`MAX_PAGE`] bytes of page, and of what comes, whatever is packed in it: it is unpacked piece by
//! piece, and nothing is once there is enough. A page that is cut short is what came of it; one whose packing makes no
//! sense is an error.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::GzDecoder;

use super::hop::Failure;
use super::page::MAX_PAGE;

/// How a site may pack its pages.
pub(super) const ASKED_FOR: &str = "gzip, br";
/// What is unpacked at once, in bytes.
const PIECE: usize = 16 * 1024;

/// A body that comes in.
pub(super) struct Body {
    unpack: Unpack,
    /// Bytes that have come.
    came: usize,
}

enum Unpack {
    Plain(Page),
    Gzip(Box<GzDecoder<Page>>),
    Brotli(Box<DecompressorWriter<Page>>),
}

/// What has been unpacked; takes no more than there may be.
struct Page {
    data: Vec<u8>,
    room: usize,
}

impl Write for Page {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            // An error, so that whoever unpacks ends there: nothing taken would be tried again for ever.
            return Err(io::ErrorKind::StorageFull.into());
        }
        let fits = data.get(..self.room).unwrap_or(data);
        self.data.extend_from_slice(fits);
        self.room -= fits.len();
        Ok(fits.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Body {
    /// An empty one that is packed so (`Content-Encoding`); None for a way that was not asked for.
    pub fn new(coding: &str) -> Option<Body> {
        let page = Page { data: vec![], room: MAX_PAGE };
        let unpack = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Unpack::Plain(page),
            "gzip" | "x-gzip" => Unpack::Gzip(Box::new(GzDecoder::new(page))),
            "br" => Unpack::Brotli(Box::new(DecompressorWriter::new(page, PIECE))),
            _ => return None,
        };
        Some(Body { unpack, came: 0 })
    }

    /// Takes what has come; false if no more is wanted.
    pub fn take(&mut self, data: &[u8]) -> Result<bool, Failure> {
        let data = data.get(..MAX_PAGE - self.came).unwrap_or(data);
        self.came += data.len();
        for piece in data.chunks(PIECE) {
            let taken = match &mut self.unpack {
                Unpack::Plain(page) => all(page, piece),
                Unpack::Gzip(packed) => all(packed, piece),
                Unpack::Brotli(packed) => all(packed, piece),
            };
            match taken {
                _ if self.page().room == 0 => return Ok(false),
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(format!("the page cannot be unpacked: {error}")),
            }
        }
        Ok(self.came < MAX_PAGE)
    }

    /// All that came of it; an error if that is nothing at all of something.
    pub fn end(mut self) -> Result<Vec<u8>, Failure> {
        // What it still holds back; an error only says that it was cut short.
        let _ = match &mut self.unpack {
            Unpack::Plain(_) => Ok(()),
            Unpack::Gzip(packed) => packed.flush(),
            Unpack::Brotli(packed) => packed.flush(),
        };
        // Some unpack what they still have when they are dropped, which is of no use any more.
        let page = self.page_mut();
        page.room = 0;
        let page = std::mem::take(&mut page.data);
        if page.is_empty() && self.came > 0 {
            return Err("the page cannot be unpacked: there is nothing in it".into());
        }
        Ok(page)
    }

    fn page(&self) -> &Page {
        match &self.unpack {
            Unpack::Plain(page) => page,
            Unpack::Gzip(packed) => packed.get_ref(),
            Unpack::Brotli(packed) => packed.get_ref(),
        }
    }

    fn page_mut(&mut self) -> &mut Page {
        match &mut self.unpack {
            Unpack::Plain(page) => page,
            Unpack::Gzip(packed) => packed.get_mut(),
            Unpack::Brotli(packed) => packed.get_mut(),
        }
    }
}

/// Gives a piece; false if its end was reached before: what is behind it is nobody's.
fn all(to: &mut impl Write, mut piece: &[u8]) -> io::Result<bool> {
    while !piece.is_empty() {
        match to.write(piece)? {
            0 => return Ok(false),
            taken => piece = piece.get(taken..).unwrap_or_default(),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    /// 16 MiB of one letter, packed by brotli.
    const BOMB: [u8; 27] = [
        0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x25, 0xf0, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x2f, 0xff, 0xff, 0xff,
        0xf0, 0x4b, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f,
    ];

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(vec![], Compression::default());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    /// Brotli without packing: 16 bits of window, one piece as it is, an empty last one.
    fn brotli(text: &[u8]) -> Vec<u8> {
        let head = (u32::try_from(text.len()).unwrap() - 1) << 4 | 1 << 20;
        [&head.to_le_bytes()[..3], text, &[3]].concat()
    }

    fn unpack(coding: &str, packed: &[u8], piece: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Body::new(coding).unwrap();
        for piece in packed.chunks(piece) {
            if !body.take(piece)? {
                break;
            }
        }
        body.end()
    }

    /// A text that does not pack well.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b' ' + u8::try_from(state >> 26).unwrap()
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn packed_in_every_way_and_cut_into_any_pieces() {
        for length in [1, 5, 40_000] {
            let text = text(length);
            for piece in [1, 7, 70_000] {
                assert_eq!(unpack("", &text, piece).unwrap(), text);
                assert_eq!(unpack("GZIP", &gzip(&text), piece).unwrap(), text);
                assert_eq!(
                    unpack("x-gzip", &[gzip(&text), b"and more".to_vec()].concat(), piece).unwrap(),
                    text
                );
                assert_eq!(unpack("br", &brotli(&text), piece).unwrap(), text);
            }
        }
        for coding in ["deflate", "zstd", "gzip, br", "compress"] {
            assert!(Body::new(coding).is_none(), "{coding}");
        }
    }

    #[test]
    fn no_more_than_there_may_be() {
        let letters = vec![b'x'; 16 << 20];
        let bombs = [("gzip", gzip(&letters)), ("br", BOMB.to_vec()), ("", letters.clone())];
        for (coding, bomb) in bombs {
            for piece in [64, 4 << 20] {
                assert_eq!(unpack(coding, &bomb, piece).unwrap(), &letters[..MAX_PAGE], "{coding}");
            }
        }
        // Nor of what comes, however little is in it.
        let nothing = gzip(b"");
        let mut body = Body::new("gzip").unwrap();
        let endless = [&nothing[..10], &[0, 0, 0, 0xff, 0xff].repeat(MAX_PAGE)[..]].concat();
        assert!(!body.take(&endless).unwrap());
        assert!(body.end().is_err());
    }

    #[test]
    fn what_is_cut_short_and_what_makes_no_sense() {
        let text = text(100_000);
        let packed = gzip(&text);
        let half = unpack("gzip", &packed[..packed.len() / 2], 4096).unwrap();
        assert!(half.len() > 20_000 && text.starts_with(&half), "{}", half.len());
        let half = unpack("br", &brotli(&text[..60_000])[..30_000], 4096).unwrap();
        assert!(half.len() > 20_000 && text.starts_with(&half), "{}", half.len());
        for coding in ["gzip", "br"] {
            assert!(unpack(coding, b"hello", 4096).is_err(), "{coding}");
        }
        let mut wrong = packed.clone();
        wrong[10..2_000].fill(0xff);
        assert!(unpack("gzip", &wrong, 4096).is_err());
        assert!(unpack("gzip", &packed[..5], 4096).is_err());
        assert!(unpack("br", &BOMB[..3], 4096).is_err());
        assert_eq!(unpack("br", b"", 4096).unwrap(), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(
            bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50, at in 0_usize..60
        ) {
            // As they are, and in the middle of what is right.
            let packed = [gzip(&text(200)), brotli(&text(200)), BOMB.to_vec()];
            let wrong = packed.iter().map(|right| [&right[..at.min(right.len())], &bytes].concat());
            for bytes in std::iter::once(bytes.clone()).chain(wrong) {
                for coding in ["", "gzip", "br"] {
                    let page = unpack(coding, &bytes, piece);
                    prop_assert!(page.is_err() || page.is_ok_and(|page| page.len() <= MAX_PAGE));
                }
            }
        }
    }
}
