//! Killed at any moment and run again: the same in the end.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use slugline::hits::journal::sim::Chance;

use super::{migrate, newsroom, refused, runtime, verified};
use crate::faults::load::Load;
use crate::faults::node::{Home, Node};
use crate::faults::{Seed, rounds};
use crate::harness::cli;
use crate::redis::servers::Standalone;

/// Enough that each stage takes several steps.
const LINKS: usize = 1_500;
/// Between two looks at what is killed.
const TICK: Duration = Duration::from_millis(1);

/// A newsroom of many links, all of them followed by somebody.
fn many(file: &str) -> Home {
    let (mut home, node) = Home::begin_with(tempfile::tempdir().unwrap(), file, 1, &newsroom::OPTIONS);
    home.codes = fill(&home, &node);
    Load::run(node.public(), &home.codes, &mut Chance::new(8), 3_000);
    node.stop();
    home
}

fn fill(home: &Home, node: &Node) -> Vec<String> {
    let code = |n: usize| format!("many-{n}");
    let links: Vec<_> = (0..LINKS)
        .map(|n| json!({ "url": format!("https://news.example.com/{}", code(n)), "code": code(n) }))
        .collect();
    for some in links.chunks(500) {
        home.api(node, "POST", "/links/batch", &json!({ "links": some }));
    }
    // The last of the codes is a closed one.
    (0..LINKS).map(code).chain(["story-0".to_owned()]).collect()
}

fn spawn(from: &Home, to: &Home) -> Child {
    let mut command = cli::command();
    command.args(["migrate", "--config", from.whole_file().to_str().unwrap()]);
    command.args(["--to", to.whole_file().to_str().unwrap()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until it ends, or until it came to a stage and then for some time; true if it ended well by itself.
fn ended_within(child: &mut Child, to: &Home, stage: &str, time: Duration) -> bool {
    let mut until = None;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return true;
        }
        if until.is_none() && noted(to).contains(stage) {
            until = Some(Instant::now() + time);
        }
        let left = until.map_or(Some(TICK), |until| until.checked_duration_since(Instant::now()));
        let Some(left) = left else { return false };
        std::thread::park_timeout(left.min(TICK));
    }
}

/// The stage that the target's note says; "" without one.
fn noted(to: &Home) -> String {
    let note = std::fs::read_to_string(to.data().join("migrate.json")).unwrap_or_default();
    note.split("\"stage\":").nth(1).unwrap_or_default().to_owned()
}

/// Kills it in each stage and at any time, then lets it end. `took` is how long it takes.
fn through_kills(from: &Home, to: &Home, took: Duration, chance: &mut Chance) {
    let mut killed = vec![];
    let micros = u64::try_from(took.as_micros()).unwrap();
    for round in 0..rounds(6, 60) {
        // "" is noted from the beginning: any time at all.
        let stage = ["", "links", "accounts", "numbers", "compare", "leave", "", ""]
            [usize::try_from(round % 8).unwrap()];
        let mut child = spawn(from, to);
        let time = Duration::from_micros(chance.below(if stage.is_empty() { micros } else { micros / 16 }));
        if ended_within(&mut child, to, stage, time) {
            killed.push("not killed: it ended".to_owned());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed.push(noted(to));
    }
    println!("killed at {killed:#?}");
    // One that was killed after its last step has nothing left to do.
    let ended = migrate(from, to);
    assert!(ended.code == 0 || ended.stderr.contains("was migrated to"), "{ended:?}");
    assert!(!to.data().join("migrate.json").exists());
    assert!(!to.data().join("view").exists());
}

/// `from` is migrated into `plain` to see how long that takes; a copy of it through kills.
fn kills(from: &Home, again: &Home, files: [&str; 2]) {
    let seed = Seed::new();
    let before = newsroom::exported(again);
    let plain = from.onward(files[0]);
    let began = Instant::now();
    migrate(from, &plain).done();
    let took = began.elapsed();
    println!("{} links took {took:?}", LINKS);
    let target = again.onward(files[1]);
    through_kills(again, &target, took, &mut seed.chance(1));
    newsroom::same(&before, &newsroom::exported(&target));
    verified(&target);
    refused(&again.command(&["verify"]), "was migrated to");
    target.start().stop();
}

#[test]
fn into_redis() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let other = server.config() + "prefix = \"other:\"\n";
    let home = many("");
    kills(&home.copied(), &home, [&other, &server.config()]);
}

#[test]
fn out_of_redis() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let home = many(&server.config());
    let copy = home.onward(&(server.config() + "prefix = \"other:\"\n"));
    // Through files, so that the numbers of both are the same.
    let files = home.onward("");
    migrate(&home, &files).done();
    home.command(&["store", "adopt", "--yes"]).done();
    migrate(&files, &copy).done();
    kills(&copy, &home, ["", ""]);
}

#[test]
fn from_files_to_files() {
    let home = many("");
    kills(&home.copied(), &home, ["", "[store]\nlanes = 9\n"]);
}
