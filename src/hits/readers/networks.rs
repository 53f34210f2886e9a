//! The operator's tables of addresses: excluded ones, data centres, scanners of mail.
//!
//! Guarantees that an address is found in a few steps however many ranges there are, that of two tables which have it
//! the stricter counts (excluded, then mail scanner, then data centre), and that an error names the file and the entry.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use crate::domain::hit;
use crate::units::Network;

/// Most ranges of all tables together.
pub const MAX_RANGES: usize = 100_000;
/// Largest file of them.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Ranges of one kind of address, ascending and apart: first and last.
type Ranges<T> = Box<[(T, T)]>;

/// All tables. Never changes: another takes its place.
#[derive(Debug, Default)]
pub struct Networks {
    /// In the order in which they are asked.
    tables: [Table; 3],
}

/// The order in which tables are asked.
const ORDER: [hit::Network; 3] =
    [hit::Network::Excluded, hit::Network::MailScanner, hit::Network::DataCentre];

#[derive(Debug, Default)]
struct Table {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// `clients.networks_file`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_centres: Vec<String>,
    mail_scanners: Vec<String>,
}

impl Networks {
    /// Of the excluded ranges and of what the file says; "" is no file.
    ///
    /// # Errors
    /// What is wrong with the file, which it names.
    pub fn open(excluded: &[Network], file: &str) -> Result<Networks, String> {
        let text = match file {
            "" => String::new(),
            file => read(file).map_err(|why| format!("{file}: {why}"))?,
        };
        Networks::new(excluded, &text)
            .map_err(|why| if file.is_empty() { why } else { format!("{file}: {why}") })
    }

    fn new(excluded: &[Network], text: &str) -> Result<Networks, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        let all = excluded.len() + file.mail_scanners.len() + file.data_centres.len();
        if all > MAX_RANGES {
            return Err(format!("{all} ranges, of at most {MAX_RANGES} in all tables together"));
        }
        let excluded = Table::new(excluded.iter().map(|range| range.0));
        let mail_scanners = ranges("mail_scanners", &file.mail_scanners)?;
        let data_centres = ranges("data_centres", &file.data_centres)?;
        Ok(Networks { tables: [excluded, Table::new(mail_scanners), Table::new(data_centres)] })
    }

    /// What they say of an address.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> hit::Network {
        let mut tables = ORDER.into_iter().zip(&self.tables);
        let found = match address.to_canonical() {
            IpAddr::V4(v4) => tables.find(|(_, table)| has(&table.v4, v4.to_bits())),
            IpAddr::V6(v6) => tables.find(|(_, table)| has(&table.v6, v6.to_bits())),
        };
        found.map_or(hit::Network::Unknown, |(network, _)| network)
    }
}

fn read(file: &str) -> Result<String, String> {
    let bytes = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(format!("{bytes} bytes, of at most {MAX_FILE_BYTES}"));
    }
    std::fs::read_to_string(file).map_err(|e| e.to_string())
}

fn ranges(name: &str, texts: &[String]) -> Result<Vec<IpNet>, String> {
    let each = texts.iter().enumerate();
    each.map(|(i, text)| match text.parse::<Network>() {
        Ok(range) => Ok(range.0),
        Err(why) => Err(format!("{name}[{i}]: {why}")),
    })
    .collect()
}

impl Table {
    fn new(ranges: impl IntoIterator<Item = IpNet>) -> Table {
        let (mut v4, mut v6) = (vec![], vec![]);
        for range in ranges {
            match range {
                IpNet::V4(range) => v4.push((range.network().to_bits(), range.broadcast().to_bits())),
                // Addresses are looked up in their own form, so ranges of mapped ones are kept in it too.
                IpNet::V6(range) => {
                    match (range.network().to_ipv4_mapped(), range.broadcast().to_ipv4_mapped()) {
                        (Some(first), Some(last)) => v4.push((first.to_bits(), last.to_bits())),
                        _ => v6.push((range.network().to_bits(), range.broadcast().to_bits())),
                    }
                }
            }
        }
        Table { v4: joined(v4), v6: joined(v6) }
    }
}

/// Sorted, and without one that lies within another. (Ranges of prefixes never overlap but so.)
fn joined<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Ranges<T> {
    ranges.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    ranges.dedup_by(|later, earlier| later.0 <= earlier.1);
    ranges.into_boxed_slice()
}

fn has<T: Ord>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).is_some_and(|at| ranges[at].1 >= address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(excluded: &[&str], text: &str) -> Networks {
        let excluded: Vec<Network> = excluded.iter().map(|range| range.parse().unwrap()).collect();
        Networks::new(&excluded, text).unwrap()
    }

    #[test]
    fn the_stricter_table_counts() {
        let text = "data_centres = [\"192.0.2.0/24\", \"2001:db8::/32\", \"192.0.2.0/28\"]\n\
                    mail_scanners = [\"192.0.2.128/25\", \"2001:db8:1::/48\"]";
        let networks = networks(&["192.0.2.200", "10.0.0.0/8"], text);
        let table = [
            ("192.0.2.1", hit::Network::DataCentre),
            ("192.0.2.127", hit::Network::DataCentre),
            ("192.0.2.129", hit::Network::MailScanner),
            ("192.0.2.200", hit::Network::Excluded),
            ("::ffff:192.0.2.200", hit::Network::Excluded),
            ("192.0.3.0", hit::Network::Unknown),
            ("192.0.1.255", hit::Network::Unknown),
            ("10.255.255.255", hit::Network::Excluded),
            ("2001:db8::1", hit::Network::DataCentre),
            ("2001:db8:1::1", hit::Network::MailScanner),
            ("2001:db9::1", hit::Network::Unknown),
            ("0.0.0.0", hit::Network::Unknown),
        ];
        for (address, expected) in table {
            assert_eq!(networks.of(address.parse().unwrap()), expected, "{address}");
        }
        assert_eq!(Networks::default().of("192.0.2.1".parse().unwrap()), hit::Network::Unknown);
    }

    #[test]
    fn the_ends_of_everything_are_found() {
        let networks = networks(&["0.0.0.0/0", "ffff::/16", "::ffff:0:0/96"], "");
        for inside in ["0.0.0.0", "255.255.255.255", "ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert_eq!(networks.of(inside.parse().unwrap()), hit::Network::Excluded, "{inside}");
        }
        assert_eq!(networks.of("fffe::1".parse().unwrap()), hit::Network::Unknown);
    }

    #[test]
    fn many_ranges_are_found_as_one_by_one() {
        let ranges: Vec<String> = (0_u32..200)
            .map(|i| format!("{}/{}", std::net::Ipv4Addr::from_bits(i.wrapping_mul(0x9e37_79b9)), 8 + i % 25))
            .collect();
        let nets: Vec<IpNet> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        let networks = networks(&[], &format!("data_centres = {ranges:?}"));
        for i in 0_u32..20_000 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(i.wrapping_mul(0x85eb_ca6b)));
            let expected = nets.iter().any(|net| net.contains(&address));
            assert_eq!(networks.of(address) == hit::Network::DataCentre, expected, "{address}");
        }
    }

    #[test]
    fn errors_name_file_and_entry() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("networks.toml").display().to_string();
        let why = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Networks::open(&[], &file).unwrap_err()
        };
        let entry = why("data_centres = [\"10.0.0.0/8\", \"10.0.0.0/33\"]");
        assert!(
            entry.starts_with(&format!("{file}: data_centres[1]: \"10.0.0.0/33\" is neither")),
            "{entry}"
        );
        assert!(why("data_centers = []").contains("unknown field `data_centers`"));
        let many = format!("mail_scanners = [{}]", "\"10.0.0.0/8\",".repeat(MAX_RANGES + 1));
        assert!(why(&many).contains("at most 100000"), "{}", why(&many));
        let missing = Networks::open(&[], "/nowhere/networks.toml").unwrap_err();
        assert!(missing.starts_with("/nowhere/networks.toml: "), "{missing}");
    }
}
