//! Which query parameters say where a reader came from, and how a query is cut to them for the journal.
//!
//! Guarantees that cutting costs next to nothing without a query and little with one, keeps at most [`MAX_PARAMS`]
//! bytes, and never the value of a click id, which could tell one reader from another. Knows no sources: what a
//! value means is `source.rs`'s.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode;

/// Most bytes kept of a query.
pub const MAX_PARAMS: usize = 128;
/// Most bytes kept of one value, as sent.
const MAX_VALUE: usize = 60;
/// Longest name of a parameter that can matter.
const MAX_NAME: usize = 32;
/// Parameters looked at in one query.
const MAX_LOOKED_AT: usize = 64;

/// What a parameter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Source,
    /// A source, if the value is one that is known.
    KnownSource,
    Medium,
    /// A click id of this source.
    Click(u16),
}

/// The parameters that matter, for the request path.
#[derive(Debug, Default)]
pub struct ParamTable {
    roles: HashMap<Box<[u8]>, Role, foldhash::fast::RandomState>,
}

/// What is kept of a query: `name=value&name`, as sent.
#[derive(Clone, Copy)]
pub struct Cut {
    len: u8,
    bytes: [u8; MAX_PARAMS],
}

impl Cut {
    /// Nothing.
    pub const NONE: Cut = Cut { len: 0, bytes: [0; MAX_PARAMS] };

    /// What the journal keeps.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Adds a parameter, or leaves it out where it does not fit.
    fn push(&mut self, name: &[u8], value: Option<&[u8]>) {
        let at = usize::from(self.len);
        let parts: [&[u8]; 4] = [
            if at == 0 { b"" } else { b"&" },
            name,
            if value.is_some() { b"=" } else { b"" },
            value.unwrap_or_default(),
        ];
        let end = at + parts.iter().map(|part| part.len()).sum::<usize>();
        let (Some(room), Ok(len)) = (self.bytes.get_mut(at..end), u8::try_from(end)) else { return };
        let mut from = 0;
        for part in parts {
            room[from..from + part.len()].copy_from_slice(part);
            from += part.len();
        }
        self.len = len;
    }
}

impl ParamTable {
    /// A name said first stays.
    pub(super) fn add(&mut self, name: &str, role: Role) -> Result<(), String> {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || name.len() > MAX_NAME || name.bytes().any(|b| b"&=#%+ ".contains(&b)) {
            return Err(format!("\"{name}\" is no name of a parameter: 1 to {MAX_NAME} bytes as in a query"));
        }
        self.roles.entry(name.into_bytes().into()).or_insert(role);
        Ok(())
    }

    fn role(&self, name: &[u8]) -> Option<Role> {
        let mut lower = [0; MAX_NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.roles.get(&*lower).copied()
    }

    /// What of a query matters.
    #[inline]
    #[must_use]
    pub fn cut(&self, query: Option<&str>) -> Cut {
        match query {
            None | Some("") => Cut::NONE,
            Some(query) => self.cut_some(query.as_bytes()),
        }
    }

    fn cut_some(&self, query: &[u8]) -> Cut {
        let mut cut = Cut::NONE;
        for pair in query.split(|b| *b == b'&').take(MAX_LOOKED_AT) {
            let (name, value) = split(pair);
            match self.role(name) {
                None => {}
                Some(Role::Click(_)) => cut.push(name, None),
                Some(_) if value.is_empty() => {}
                Some(_) => cut.push(name, Some(&value[..value.len().min(MAX_VALUE)])),
            }
        }
        cut
    }

    /// Reads what was cut (or a whole query): each parameter that matters, with its value decoded.
    pub(super) fn read<'a>(&self, cut: &'a [u8]) -> impl Iterator<Item = (Role, String)> + use<'a, '_> {
        cut.split(|b| *b == b'&').take(MAX_LOOKED_AT).filter_map(|pair| {
            let (name, value) = split(pair);
            Some((self.role(name)?, decoded(&value[..value.len().min(MAX_VALUE)])))
        })
    }
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|b| *b == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, b""),
    }
}

fn decoded(value: &[u8]) -> String {
    let spaced: Cow<'_, [u8]> = match value.contains(&b'+') {
        true => value.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect::<Vec<u8>>().into(),
        false => value.into(),
    };
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    super::text::value(&String::from_utf8_lossy(&bytes), super::text::MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ParamTable {
        let mut table = ParamTable::default();
        for (name, role) in
            [("utm_source", Role::Source), ("utm_medium", Role::Medium), ("fbclid", Role::Click(3))]
        {
            table.add(name, role).unwrap();
        }
        table
    }

    fn cut(query: &str) -> String {
        String::from_utf8(table().cut(Some(query)).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn only_what_matters_is_kept() {
        assert_eq!(cut("id=7&UTM_source=Face%20book&fbclid=IwAR0secret&x"), "UTM_source=Face%20book&fbclid");
        assert_eq!(cut("utm_source=&a=b"), "");
        assert_eq!(cut(&"a=b&".repeat(5000)), "");
        assert!(table().cut(None).as_bytes().is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = "x".repeat(500);
        assert_eq!(cut(&format!("utm_source={long}")).len(), "utm_source=".len() + MAX_VALUE);
        assert!(cut(&format!("utm_source={long}&utm_medium={long}&utm_source={long}")).len() <= MAX_PARAMS);
    }

    #[test]
    fn what_was_cut_is_read() {
        let table = table();
        let read: Vec<_> = table.read(b"utm_source=a+b%0A%ff&fbclid&other=1&utm_medium").collect();
        let expected = [
            (Role::Source, "a b \u{fffd}".to_owned()),
            (Role::Click(3), String::new()),
            (Role::Medium, String::new()),
        ];
        assert_eq!(read, expected);
        assert!(ParamTable::default().add("a b", Role::Medium).is_err());
    }
}
