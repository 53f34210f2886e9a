//! A source that was left: it says where it went, stays closed, and is taken back by the operator's word alone.

use serde_json::{Value, json};
use slugline::hits::journal::sim::Chance;

use super::{migrate, newsroom, refused, runtime, verified};
use crate::faults::load::Load;
use crate::faults::node::Home;
use crate::redis::servers::Standalone;

fn small(file: &str) -> Home {
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), file, 3, &newsroom::OPTIONS);
    Load::run(node.public(), &home.codes, &mut Chance::new(6), 90);
    node.stop();
    home
}

/// Everything but adopting is refused, with the place that all went to.
fn is_closed(home: &Home, to: &str) {
    let mut node = home.spawn();
    assert_eq!(node.ended(), Some(1), "{}", node.log());
    assert!(node.log().contains(to) && node.log().contains("store adopt"), "{}", node.log());
    for command in [&["verify"][..], &["export", "-"], &["key", "list"], &["store", "status"]] {
        refused(&home.command(command), to);
    }
    refused(&home.command(&["store", "rebuild", "--yes"]), to);
    refused(&migrate(home, &home.onward("")), to);
}

fn counted(home: &Home) -> Value {
    let node = home.start();
    let said = home.api(&node, "GET", "/reports/summary", &Value::Null);
    node.stop();
    json!([said["clicks"], said["bots"], said["missed"]])
}

fn is_taken_back(home: &Home, to: &str) {
    let before = newsroom::exported(home);
    let target = home.onward("");
    migrate(home, &target).done();
    is_closed(home, to);
    let adopted = home.command(&["store", "adopt", "--yes"]).done();
    assert!(adopted.contains("in use again") && adopted.contains(to), "{adopted}");
    refused(&home.command(&["store", "adopt", "--yes"]), "nothing to adopt");
    newsroom::same(&before, &newsroom::exported(home));
    assert_eq!(counted(home), counted(&target));
    let node = home.start();
    Load::run(node.public(), &home.codes, &mut Chance::new(7), 30);
    home.api(&node, "POST", "/links", &json!({ "url": "https://news.example.com/after" }));
    node.stop();
    verified(home);
    verified(&target);
    // Each goes its own way: the target is not filled a second time.
    refused(&migrate(home, &target), "not empty");
}

#[test]
fn files_are_closed_and_taken_back() {
    is_taken_back(&small(""), "SQLite in ");
}

#[test]
fn redis_is_closed_to_all_nodes_and_taken_back() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let home = small(&server.config());
    let other = home.onward(&server.config());
    other.start().stop();
    let target = home.onward("");
    migrate(&home, &target).done();
    is_closed(&other, "SQLite in ");
    // Any node's operator may say it.
    other.command(&["store", "adopt", "--yes"]).done();
    is_taken_back(&home, "SQLite in ");
    other.start().stop();
}

/// As if it had been killed between the source's last word and the note's end.
#[test]
fn a_fence_that_was_cut_short_is_ended() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    for home in [small(""), small(&server.config())] {
        let target = home.onward("");
        let dataset = |home: &Home| {
            let status = home.command(&["store", "status"]).stdout;
            let line =
                status.lines().find_map(|line| line.strip_prefix("dataset")).unwrap().trim().to_owned();
            line.split(',').next().unwrap().to_owned()
        };
        let source = dataset(&home);
        migrate(&home, &target).done();
        let note = json!({ "source": source, "target": dataset(&target), "stage": "leave" });
        std::fs::write(target.data().join("migrate.json"), note.to_string()).unwrap();
        let keys: Vec<String> =
            redis::from_redis_value(runtime.block_on(server.ask(&["KEYS", "sl:{*}:m"]))).unwrap();
        for key in keys.iter().step_by(2) {
            // Half of the lanes had not heard of it.
            if runtime.block_on(server.ask(&["HDEL", key, "was"])) == redis::Value::Int(1) {
                runtime.block_on(server.ask(&["HSET", key, "id", &source]));
            }
        }
        assert!(migrate(&home, &target).done().contains("migrated to SQLite in"));
        assert!(!target.data().join("migrate.json").exists());
        is_closed(&home, "SQLite in ");
        home.command(&["store", "adopt", "--yes"]).done();
        home.start().stop();
        target.start().stop();
    }
}
