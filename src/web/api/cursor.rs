//! Cursors: where the next page begins. Opaque, and bound to the list that gave them out.
//!
//! A cursor holds no more than its client has already seen, so it needs no signature; the check binds it to the
//! list's filters and catches what was cut or made up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

use crate::domain::error::{Reason, Refusal};

fn check(list: &str, position: &[u8]) -> [u8; 6] {
    let mut hash = Sha256::new();
    hash.update(list);
    hash.update([0]);
    hash.update(position);
    let hash: [u8; 32] = hash.finalize().into();
    let mut check = [0; 6];
    check.copy_from_slice(&hash[..6]);
    check
}

/// A cursor of `list` (everything that makes it another list) at `position`.
pub fn write(list: &str, position: &(String, String)) -> String {
    let position = serde_json::to_vec(position).unwrap_or_default();
    let mut bytes = check(list, &position).to_vec();
    bytes.extend(position);
    BASE64.encode(bytes)
}

/// The position that a cursor of `list` holds.
///
/// # Errors
/// `bad_cursor`.
pub fn read(list: &str, cursor: &str) -> Result<(String, String), Refusal> {
    let bad = || Refusal::field(Reason::BadCursor, "cursor", "this cursor is not from this list");
    let bytes = BASE64.decode(cursor).map_err(|_| bad())?;
    let (given, position) = bytes.split_at_checked(6).ok_or_else(bad)?;
    if given != check(list, position) {
        return Err(bad());
    }
    serde_json::from_slice(position).map_err(|_| bad())
}

/// The same for lists whose position is one number.
///
/// # Errors
/// `bad_cursor`.
pub fn read_number(list: &str, cursor: Option<String>) -> Result<Option<u64>, Refusal> {
    let Some(cursor) = cursor else { return Ok(None) };
    let (number, _) = read(list, &cursor)?;
    let bad = || Refusal::field(Reason::BadCursor, "cursor", "this cursor is not from this list");
    number.parse().map(Some).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_bound_to_their_list() {
        let position = ("1790000000000".to_owned(), "kx7".to_owned());
        let cursor = write("links -created q=a", &position);
        assert_eq!(read("links -created q=a", &cursor).unwrap(), position);
        for (list, cursor) in [
            ("links -created q=b", cursor.as_str()),
            ("links -created q=a", &cursor[1..]),
            ("links -created q=a", ""),
            ("links -created q=a", "!!"),
        ] {
            assert_eq!(read(list, cursor).unwrap_err().reason, Reason::BadCursor);
        }
    }
}
