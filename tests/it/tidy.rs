//! The house rules that a reader would otherwise have to check: headers, lengths, floors.

use std::path::{Path, PathBuf};

/// Longest file, in lines.
const MAX_LINES: usize = 500;

struct Source {
    /// From the root of the project, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Lines that are code, without what follows `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| {
            self.path == format!("src/{folder}.rs") || self.path.starts_with(&format!("src/{folder}/"))
        })
    }

    /// Places where any of these words is in the code.
    fn places(&self, words: &[&str]) -> Vec<String> {
        let hit = |line: &str| words.iter().any(|word| line.contains(word));
        self.code()
            .filter(|(_, line)| hit(line))
            .map(|(n, line)| format!("{}:{n}: {}", self.path, line.trim()))
            .collect()
    }
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![];
    folders.iter().for_each(|folder| walk(&root.join(folder), &mut paths));
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| Source {
            path: path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
            text: std::fs::read_to_string(path).unwrap(),
        })
        .collect();
    assert!(sources.len() > 10, "the sources were found");
    sources
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let mut wrong = vec![];
    for source in sources(&["src", "tests", "loadtest"]) {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{}: no header", source.path));
        }
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn tests_wait_for_things_and_all_of_them_run() {
    // Put together here, so that this file is not a place itself.
    let words = [concat!("sle", "ep("), concat!("sle", "ep_until("), concat!("#[ig", "nore")];
    let wrong: Vec<String> = sources(&["tests"]).iter().flat_map(|s| s.places(&words)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ignored: Vec<String> = sources(&["src"]).iter().flat_map(|s| s.places(&words[2..])).collect();
    assert!(ignored.is_empty(), "{ignored:#?}");
}

/// (a floor, what it must not know)
const FLOORS: [(&[&str], &[&str]); 7] = [
    (
        &["domain"],
        &[
            "crate::store",
            "crate::articles",
            "crate::hits",
            "crate::links",
            "crate::accounts",
            "crate::sessions",
            "crate::orphans",
            "crate::reports",
            "crate::webhooks",
            "crate::web",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "crate::telemetry",
            "axum::",
            "tokio::",
            "rusqlite",
            "std::fs",
            "std::net::Tcp",
        ],
    ),
    (
        &["store"],
        &[
            "crate::articles",
            "crate::hits",
            "crate::links",
            "crate::accounts",
            "crate::sessions",
            "crate::orphans",
            "crate::reports",
            "crate::webhooks",
            "crate::web",
            "crate::app",
            "crate::cli",
            "crate::config",
            "axum::",
        ],
    ),
    (
        &["hits", "links", "accounts", "orphans", "reports", "sessions", "webhooks"],
        &["crate::web", "crate::app", "crate::cli", "crate::config", "axum::", "hyper::"],
    ),
    // Tells webhooks too, whose name begins like that of the floor above.
    (&["digest"], &["crate::web::", "crate::app", "crate::cli", "crate::config", "axum::", "hyper::"]),
    // Puts values into a configuration, so it knows that one.
    (&["settings"], &["crate::web", "crate::app", "crate::cli", "axum::", "hyper::"]),
    // Reads pages, so it has a client; who makes links asks it, never the other way round.
    (
        &["articles"],
        &[
            "crate::store",
            "crate::hits",
            "crate::links",
            "crate::accounts",
            "crate::sessions",
            "crate::orphans",
            "crate::reports",
            "crate::webhooks",
            "crate::web",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "axum::",
        ],
    ),
    (&["web"], &["crate::cli", "rusqlite", "store::sqlite"]),
];

#[test]
fn imports_go_down_only() {
    let sources = sources(&["src"]);
    let mut wrong = vec![];
    for (floor, unknown) in FLOORS {
        let of_floor: Vec<&Source> = sources.iter().filter(|s| s.is_in(floor)).collect();
        assert!(!of_floor.is_empty(), "{floor:?} is there");
        wrong.extend(of_floor.iter().flat_map(|s| s.places(unknown)));
    }
    let elsewhere = sources.iter().filter(|s| !s.is_in(&["web"]));
    wrong.extend(elsewhere.flat_map(|s| s.places(&["axum::", "use axum"])));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_is_in_one_place() {
    let sources = sources(&["src", "tests", "loadtest"]);
    let elsewhere =
        sources.iter().filter(|s| s.path != "src/hits/journal/mapping.rs" && s.path != "tests/it/tidy.rs");
    let wrong: Vec<String> = elsewhere
        .flat_map(|s| s.places(&["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn time_and_tasks_have_one_place_each() {
    let sources = sources(&["src"]);
    let clock = sources.iter().filter(|s| s.path != "src/clock.rs");
    let mut wrong: Vec<String> =
        clock.flat_map(|s| s.places(&["SystemTime::now", "Timestamp::now()", "Zoned::now()"])).collect();
    wrong.extend(sources.iter().flat_map(|s| s.places(&["tokio::spawn("])));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn redis_is_only_sent_what_may_be_done_twice() {
    // A cluster's client sends again on its own. All else goes through scripts, which are fenced.
    let repeatable = [
        "BGREWRITEAOF",
        "CONFIG",
        "GET",
        "HGET",
        "HGETALL",
        "HKEYS",
        "HMGET",
        "HSETNX",
        "INFO",
        "PING",
        "ROLE",
        "SENTINEL",
        "SMEMBERS",
        "TIME",
        "UNLINK",
        "XRANGE",
        "ZRANGEBYSCORE",
        "ZREVRANGEBYLEX",
        "EVALSHA",
    ];
    let mut wrong = vec![];
    for source in sources(&["src"]).iter().filter(|s| s.is_in(&["store/redis"])) {
        for (n, line) in source.code() {
            let name = line.split_once("cmd(\"").and_then(|(_, rest)| rest.split('"').next());
            let unknown = name.is_some_and(|name| !repeatable.contains(&name));
            if unknown || line.contains("Cmd::new(") || line.contains("redis::Cmd::") {
                wrong.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn scripts_declare_what_they_are() {
    fn scripts(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scripts(&path, into);
            } else if path.extension().is_some_and(|e| e == "lua") {
                into.push(path);
            }
        }
    }
    let mut paths = vec![];
    scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/redis"), &mut paths);
    assert!(paths.len() > 2, "the scripts were found");
    for path in paths {
        // Without the first line a script may name keys that it was not told.
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        let declares = lines.next().is_some_and(|line| line.starts_with("#!lua"));
        assert!(declares && lines.next().is_some_and(|line| line.starts_with("-- ")), "{}", path.display());
    }
}
