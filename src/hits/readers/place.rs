//! Which country an address is in.
//!
//! Guarantees that an address of no place (a private one, this machine's own) has no country, and that a table never
//! changes: another takes its place. The compiled-in table says to which country a registry gave the address, the
//! operator's file says what its maker thinks.

use std::net::{IpAddr, Ipv4Addr};

use maxminddb::{PathElement, Reader, WithinOptions};
use serde::{Deserialize, Serialize};

use crate::domain::hit::Country;

/// Largest file.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Networks of a file among which there must be one with a country.
const LOOKED_AT: usize = 10_000;

/// `[places]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A file in MaxMind's format; empty for the compiled-in table.
    pub mmdb_file: String,
}

/// What addresses are looked up in.
#[derive(Debug, Default)]
pub struct Places {
    file: Option<Reader<Vec<u8>>>,
}

impl Places {
    /// The file's, or the compiled-in table.
    ///
    /// # Errors
    /// (key of `[places]`, which names the file and what is wrong with it).
    pub fn open(settings: &Settings) -> Result<Places, (&'static str, String)> {
        let file = &settings.mmdb_file;
        if file.is_empty() {
            return Ok(Places::default());
        }
        let fail = |why: String| ("mmdb_file", format!("{file}: {why}"));
        let bytes = std::fs::metadata(file).map_err(|e| fail(e.to_string()))?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(fail(format!("{bytes} bytes, of at most {MAX_FILE_BYTES}")));
        }
        let bytes = std::fs::read(file).map_err(|e| fail(e.to_string()))?;
        Places::of_file(bytes).map_err(fail)
    }

    fn of_file(bytes: Vec<u8>) -> Result<Places, String> {
        let reader = Reader::from_source(bytes).map_err(|e| e.to_string())?;
        let networks = reader.networks(WithinOptions::default()).map_err(|e| e.to_string())?;
        // A file of cities or networks is as good; one of something else would quietly know no country at all.
        let mut known = false;
        for network in networks.take(LOOKED_AT) {
            known = code(&network.map_err(|e| e.to_string())?).is_some();
            if known {
                break;
            }
        }
        if known {
            Ok(Places { file: Some(reader) })
        } else {
            Err("it has no countries (country.iso_code)".into())
        }
    }

    /// The country of an address.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Country {
        let address = address.to_canonical();
        if is_placeless(address) {
            return Country::default();
        }
        let found = match &self.file {
            None => iptocc::country_code(address),
            Some(file) => file.lookup(address).ok().and_then(|found| code(&found)),
        };
        said(found.unwrap_or_default().as_bytes())
    }
}

/// A country as a file or a header says it; what stands for an unknown one is none.
#[must_use]
pub fn said(text: &[u8]) -> Country {
    match Country::parse(text) {
        Country([b'X', b'X'] | [b'Z', b'Z']) => Country::default(),
        country => country,
    }
}

/// The code in the files of MaxMind and DB-IP, or in those of IPinfo.
fn code<'a>(found: &maxminddb::LookupResult<'a, Vec<u8>>) -> Option<&'a str> {
    let at = |path: &[PathElement<'_>]| found.decode_path::<&'a str>(path).ok().flatten();
    at(&[PathElement::Key("country"), PathElement::Key("iso_code")])
        .or_else(|| at(&[PathElement::Key("country_code")]))
        .filter(|code| !code.is_empty())
}

fn is_placeless(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // Addresses that carriers share among their customers.
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            shared
                || v4.octets()[0] == 0
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4 >= Ipv4Addr::new(240, 0, 0, 0)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file in MaxMind's format that says `above` of addresses from 128.0.0.0 on and nothing of the others.
    pub(crate) fn file(above: &[u8]) -> Vec<u8> {
        let text = |text: &str| [&[0x40 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        // One node: to the left nothing (the number of nodes), to the right the first data.
        let mut bytes = vec![0, 0, 1, 0, 0, 17];
        bytes.extend([0; 16]);
        bytes.extend_from_slice(above);
        bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        bytes.push(0xe0 | 9);
        for (name, value) in [
            ("node_count", vec![0xc1, 1]),
            ("record_size", vec![0xa1, 24]),
            ("ip_version", vec![0xa1, 4]),
            ("database_type", text("Test")),
            ("languages", vec![0x00, 0x04]),
            ("binary_format_major_version", vec![0xa1, 2]),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x00, 0x02]),
            ("description", vec![0xe0]),
        ] {
            bytes.extend(text(name));
            bytes.extend(value);
        }
        bytes
    }

    /// `{"country": {"iso_code": code}}`.
    pub(crate) fn country(code: &str) -> Vec<u8> {
        [b"\xe1\x47country\xe1\x48iso_code\x42".as_slice(), code.as_bytes()].concat()
    }

    fn of(places: &Places, address: &str) -> String {
        places.country(address.parse().unwrap()).as_str().unwrap_or("-").to_owned()
    }

    #[test]
    fn the_compiled_in_table_knows_countries() {
        let places = Places::default();
        for (address, expected) in [
            ("8.8.8.8", "US"),
            ("::ffff:8.8.8.8", "US"),
            ("193.171.255.2", "AT"),
            ("2001:628::1", "AT"),
            ("2a00:1450:4001::1", "IE"),
        ] {
            assert_eq!(of(&places, address), expected, "{address}");
        }
    }

    #[test]
    fn addresses_of_no_place_have_none() {
        let places = Places::of_file(file(&country("AT"))).unwrap();
        assert_eq!(of(&places, "193.171.255.2"), "AT");
        let none = [
            "0.0.0.0",
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "::",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.1",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ];
        for address in none {
            assert_eq!(of(&places, address), "-", "{address}");
            assert_eq!(of(&Places::default(), address), "-", "{address}");
        }
    }

    #[test]
    fn a_file_is_asked_and_checked() {
        let places = Places::of_file(file(&country("DE"))).unwrap();
        assert_eq!((of(&places, "200.1.1.1"), of(&places, "8.8.8.8")), ("DE".into(), "-".into()));
        assert_eq!(of(&places, "2a00::1"), "-", "it has no such addresses");
        let lite = Places::of_file(file(b"\xe1\x4ccountry_code\x42FR")).unwrap();
        assert_eq!(of(&lite, "200.1.1.1"), "FR");
        assert!(Places::of_file(file(b"\xe1\x43asn\x42AS")).unwrap_err().contains("no countries"));
        let whole = file(&country("DE"));
        for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
            assert!(Places::of_file(whole[..cut].to_vec()).is_err(), "{cut}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.mmdb").display().to_string();
        let (key, why) = Places::open(&Settings { mmdb_file: path.clone() }).unwrap_err();
        assert!(key == "mmdb_file" && why.starts_with(&path), "{why}");
    }

    #[test]
    fn what_stands_for_unknown_is_none() {
        for (text, expected) in [("at", Some("AT")), ("XX", None), ("T1", None), ("zz", None), ("", None)] {
            assert_eq!(said(text.as_bytes()).as_str(), expected, "{text}");
        }
    }
}
