//! No reader's address is kept: not in a file, not in the log, not in a metric, not in an export.

use std::path::Path;

use crate::harness::{Program, cli};

/// Addresses that can come from nowhere else.
const READERS: [&str; 3] = ["203.0.113.77", "2001:db8:77:88::99", "198.51.100.201"];

/// Of all requests here.
const AGENT: &str = "Mozilla/5.0 (marker-4711) Gecko/20100101 Firefox/145.0";

/// All spellings in which an address could be kept.
fn spellings(address: &str) -> Vec<Vec<u8>> {
    let mut all = vec![address.as_bytes().to_vec()];
    match address.parse().unwrap() {
        std::net::IpAddr::V4(v4) => {
            all.push(v4.to_ipv6_mapped().to_string().into_bytes());
            all.push(v4.octets().to_vec());
            all.push(v4.octets().into_iter().rev().collect());
        }
        std::net::IpAddr::V6(v6) => all.push(v6.octets().to_vec()),
    }
    all
}

fn assert_without(what: &str, bytes: &[u8]) {
    for address in READERS {
        for spelling in spellings(address) {
            let found = bytes.windows(spelling.len()).any(|part| part == spelling);
            assert!(!found, "{address} is in {what}");
        }
    }
}

/// Every file below a folder.
fn files(dir: &Path, each: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, each),
            false => each(&path, &std::fs::read(&path).unwrap()),
        }
    }
}

#[tokio::test]
async fn no_address_of_a_reader_is_kept_anywhere() {
    let options = ["clients.trusted_proxies=127.0.0.1", "log.filter=trace"];
    let mut program = Program::start_with(&options).await;
    let code = program.shorten("https://news.example.com/a").await;
    for (i, address) in READERS.iter().enumerate() {
        // As a proxy says it, as one that is not the nearest says it, and for what is no redirect.
        for headers in [
            vec![("x-forwarded-for", (*address).to_owned())],
            vec![("x-forwarded-for", format!("{address}, 127.0.0.1")), ("x-real-ip", (*address).to_owned())],
            vec![("forwarded", format!("for=\"[{address}]\""))],
        ] {
            let mut headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            headers.push(("user-agent", AGENT));
            program.follow_with(&code, &headers).await.expect(302);
            program.follow_with(&format!("unknown{i}"), &headers).await.expect(404);
            program.follow_with(&format!("{code}+"), &headers).await.expect(200);
        }
    }
    // A page under /api with an address that is refused, too.
    let refused =
        program.api.http.call(http::Method::GET, "/api/v1/links").header("x-forwarded-for", READERS[0]);
    refused.send().await.expect(401);
    assert_eq!(program.totals(&code).await, (9, 0, 0));
    assert_without("/metrics", &program.ops.get("/metrics").await.body);
    assert_without("/readyz", &program.ops.get("/readyz").await.body);
    assert_without("the audit", &program.get("/audit").await.expect(200).body);
    assert_without("the export", cli::on(&program.data(), &["export", "-"]).done().as_bytes());
    assert_eq!(program.terminate(), Some(0));
    assert_without("the log", program.stderr().join("\n").as_bytes());
    assert_without("stdout", program.stdout().join("\n").as_bytes());
    let mut seen = 0;
    files(&program.data(), &mut |path, bytes| {
        seen += 1;
        assert_without(&path.display().to_string(), bytes);
    });
    assert!(seen >= 3, "the journal and both files of the store were looked at");
    // The search finds what is there: the agent of the same requests is kept until it is classified.
    let mut found = 0;
    files(&program.data().join("journal"), &mut |_, bytes| {
        found += usize::from(bytes.windows(AGENT.len()).any(|part| part == AGENT.as_bytes()));
    });
    assert!(found > 0, "the agent is in the journal");
}
