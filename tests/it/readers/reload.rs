//! Tables of addresses, agents and places are read again at SIGHUP; bad ones change nothing.

use rustix::process::Signal;

use super::numbers;
use crate::harness::{BROWSER, Program, cli, eventually};

const HALF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/places/half.mmdb");
const READER: &str = "200.7.7.7";
const TRUSTED: &str = "[clients]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";

/// Follows a link until a hit is counted in this way.
async fn until(program: &Program, what: &str, counted: impl Fn(&super::Numbers) -> bool) -> String {
    let mut config = slugline::config::Config::defaults().unwrap();
    config.data.dir = program.data();
    // A link of its own, so that nothing from before is in it.
    let code = program.shorten(&format!("https://news.example.com/{}", what.replace(' ', "-"))).await;
    eventually(what, async || {
        program.follow_with(&code, &[("user-agent", BROWSER), ("x-forwarded-for", READER)]).await.expect(302);
        program.settle().await;
        counted(&numbers(&config, &code).await).then_some(())
    })
    .await;
    code
}

/// Waits for a line on stderr with this in it.
async fn says(program: &Program, words: &str) {
    eventually(words, async || program.stderr().iter().any(|line| line.contains(words)).then_some(())).await;
}

#[tokio::test]
async fn tables_are_read_again_on_hangup() {
    let dir = tempfile::tempdir().unwrap();
    let (networks, mmdb) = (dir.path().join("networks.toml"), dir.path().join("places.mmdb"));
    std::fs::write(&networks, "").unwrap();
    std::fs::copy(HALF, &mmdb).unwrap();
    let file = |agents: &str| {
        format!(
            "{TRUSTED}networks_file = \"{}\"\nexcluded_agents = {agents}\n[places]\nmmdb_file = \"{}\"\n",
            networks.display(),
            mmdb.display()
        )
    };
    let program = Program::start_on(&file("[]"), &[]).await;
    until(&program, "a click from Austria", |n| n.total.clicks > 0 && n.countries.contains_key("AT")).await;

    std::fs::write(&networks, "mail_scanners = [\"200.7.0.0/16\"]").unwrap();
    let german: Vec<u8> = std::fs::read(HALF).unwrap();
    let at = german.windows(2).position(|w| w == b"AT").unwrap();
    std::fs::write(&mmdb, [&german[..at], b"DE", &german[at + 2..]].concat()).unwrap();
    program.signal(Signal::HUP);
    let scanned =
        |n: &super::Numbers| n.reasons.contains_key("mail_scanner") && n.countries.contains_key("DE");
    until(&program, "a scanner from Germany", scanned).await;

    // Each bad file is named, and nothing of the rest is taken.
    std::fs::write(&networks, "data_centres = [\"200.7.0.0/16\", \"x\"]").unwrap();
    program.signal(Signal::HUP);
    says(&program, "data_centres[1]").await;
    std::fs::write(&networks, "data_centres = [\"200.7.0.0/16\"]").unwrap();
    std::fs::write(&mmdb, "nonsense").unwrap();
    program.signal(Signal::HUP);
    says(&program, "places.mmdb_file").await;
    until(&program, "still a scanner", scanned).await;

    std::fs::copy(HALF, &mmdb).unwrap();
    program.signal(Signal::HUP);
    until(&program, "a data centre", |n| n.reasons.contains_key("data_centre")).await;
    // What is counted by: the applier's tables.
    program.configure(&file("[\"chrome/142\"]"));
    program.signal(Signal::HUP);
    until(&program, "an excluded agent", |n| n.reasons.contains_key("excluded")).await;
}

#[test]
fn a_bad_file_is_a_bad_configuration() {
    for (option, key) in [
        ("places.mmdb_file=/nowhere.mmdb", "places.mmdb_file"),
        ("clients.networks_file=/nowhere.toml", "clients.networks_file"),
        ("clients.country_header=no name", "clients.country_header"),
    ] {
        let ended = cli::run(["config", "check", "--set", option]);
        assert!(ended.code == 64 && ended.stderr.contains(key), "{ended:?}");
    }
    let variables = [("SLUGLINE__PLACES__MMDB_FILE", HALF)];
    assert_eq!(cli::run_with(["config", "check"], &variables, "").code, 0);
}
