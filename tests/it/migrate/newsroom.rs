//! A newsroom with some of everything in it, and what it says of itself from outside.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::faults::node::{Home, Node};
use crate::faults::wire::Wire;
use crate::harness::{BROWSER, CURL, cli};

/// Options under which answers do not depend on where a server listens.
pub const OPTIONS: [&str; 2] = ["server.public_url=https://sl.example", "newsroom.timezone=Europe/Vienna"];

/// A newsroom on the store that `file` configures, stopped, with everything counted; and what its codes answered.
pub fn begin(file: &str) -> (Home, Answers) {
    let (mut home, node) = Home::begin_with(tempfile::tempdir().unwrap(), file, 6, &OPTIONS);
    stories(&home, &node);
    lives(&home, &node);
    people(&home, &node);
    follow(&home, &node);
    node.stop();
    variants(&home);
    // From its next midnight on another zone holds: the store has two.
    home.set(&[OPTIONS[0], "newsroom.timezone=Asia/Tokyo"]);
    let node = home.start();
    let answers = follow(&home, &node);
    node.stop();
    (home, answers)
}

fn make(home: &Home, node: &Node, body: Value) -> Value {
    home.api(node, "POST", "/links", &body)
}

fn stories(home: &Home, node: &Node) {
    let tram = "https://news.example.com/2026/tram";
    let article = json!({ "title": "Council approves tram", "section": "City & Region",
        "authors": ["Ana Petrović", "Li"], "published_at": "2026-11-20T08:00:00Z", "language": "en" });
    make(
        home,
        node,
        json!({ "url": tram, "channels": ["x", "newsletter", "print"], "article": article,
        "cms_id": "cms-1", "tags": ["red", "grün"], "campaign": "vote" }),
    );
    make(home, node, json!({ "url": tram, "code": "tram", "force_new": true, "note": "the mayor's" }));
    // The same story by the CMS's id, under another address.
    make(
        home,
        node,
        json!({ "url": "https://news.example.com/2026/tram-2", "code": "again", "cms_id": "cms-1" }),
    );
    for n in 0..40 {
        let section = ["World", "Sport", "Culture"][n % 3];
        let url = format!("https://news.example.com/story/{n}?page=%C3%BC&a=1#part");
        let article =
            json!({ "title": format!("Story {n}"), "section": section, "authors": [format!("A{}", n % 5)] });
        make(home, node, json!({ "url": url, "channel": "x", "article": article }));
    }
}

/// Links in every state, with histories.
fn lives(home: &Home, node: &Node) {
    let own = |code: &str| json!({ "url": format!("https://news.example.com/{code}"), "code": code });
    let with = |code: &str, more: Value| {
        let mut body = own(code);
        more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        make(home, node, body);
    };
    make(home, node, json!({ "code": "held-back", "reserve": true }));
    with("later", json!({ "not_before": "2090-01-01T00:00:00Z" }));
    with(
        "over",
        json!({ "expires_at": "2090-01-01T00:00:00Z", "expired_url": "https://news.example.com/over" }),
    );
    with("moved", json!({ "redirect_status": 301, "forward_query": true, "title": "T" }));
    with("closed", json!({}));
    with("gone", json!({}));
    let change = |code: &str, version: u64, change: Value| {
        let mut change = change;
        change["version"] = json!(version);
        home.api(node, "PATCH", &format!("/links/{code}"), &change);
    };
    change("closed", 1, json!({ "disabled": true, "message": "Closed for now" }));
    for version in 1..6 {
        change("moved", version, json!({ "url": format!("https://other.example/{version}"), "tags": ["n"] }));
    }
    change("moved", 6, json!({ "revert_to": 3 }));
    change("over", 1, json!({ "note": null, "channel": "print" }));
    let answer = home.try_delete(node, "gone");
    assert_eq!(answer, 204);
}

fn people(home: &Home, node: &Node) {
    for role in ["viewer", "creator", "editor"] {
        home.api(node, "POST", "/keys", &json!({ "name": format!("a {role}"), "role": role }));
    }
    let made = home.api(node, "POST", "/keys", &json!({ "name": "old", "role": "admin" }));
    let old = made["key"].as_str().unwrap().split('_').nth(1).unwrap().to_owned();
    home.command(&["key", "revoke", &old]).done();
    for (name, value) in
        [("newsroom.name", json!("Die Post")), ("links.denied_hosts", json!(["bad.example"]))]
    {
        home.api(node, "POST", "/settings", &json!({ "name": name, "value": value }));
    }
    home.api(node, "POST", "/channels", &json!({ "name": "x", "utm_source": "x", "utm_medium": "social" }));
    home.command(&["user", "add", "Ana", "--role", "editor"]).done();
    home.command(&["user", "add", "Zoë", "--role", "viewer"]).done();
    home.command(&["user", "disable", "Zoë"]).done();
    let hook =
        |name: &str| json!({ "url": "https://hooks.invalid/in", "name": name, "events": ["link.spike"] });
    home.api(node, "POST", "/webhooks", &hook("chat"));
    let off = home.api(node, "POST", "/webhooks", &hook("old"));
    let path = format!("/webhooks/{}", off["id"].as_str().unwrap());
    home.api(node, "PATCH", &path, &json!({ "version": 1, "disabled": true }));
    let passwd = [("SLUGLINE__LOG__FORMAT", "text")];
    let data = format!("data.dir={}", home.data().display());
    let file = home.whole_file();
    let arguments = ["user", "passwd", "Ana", "--config", file.to_str().unwrap(), "--set", &data];
    cli::run_with(arguments, &passwd, "correct horse battery staple\n").done();
}

/// Puts links in whose codes differ from others only in case: those come from an import alone.
fn variants(home: &Home) {
    let export = home.command(&["export", "-"]).done();
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let link = lines.iter().find(|l| l["kind"] == "link" && l["code"] == "tram").unwrap();
    let mut file = vec![lines[0].to_string()];
    for code in ["TRAM", "Tram"] {
        let mut variant = link.clone();
        variant["code"] = json!(code);
        variant["holds_slot"] = json!(false);
        variant["target"] = json!(format!("https://old.example/{code}"));
        variant["follows_article"] = json!(false);
        file.push(variant.to_string());
    }
    let path = home.data().join("variants.jsonl");
    std::fs::write(&path, file.join("\n") + "\n").unwrap();
    home.command(&["import", "--merge", path.to_str().unwrap()]).done();
}

/// What each code answered: status and where it leads.
pub type Answers = BTreeMap<String, (u16, String)>;

/// Asks for every code, as people and as machines.
pub fn follow(home: &Home, node: &Node) -> Answers {
    let mut wire = Wire::open(node.public()).unwrap();
    let mut answers = Answers::new();
    for code in codes(home, node).into_iter().chain(["nobody".to_owned(), "tRAM".to_owned()]) {
        for (method, path, agent) in
            [("GET", "", BROWSER), ("GET", ".q", BROWSER), ("GET", "", CURL), ("HEAD", "", BROWSER)]
        {
            let path = format!("/{code}{path}");
            wire.send(method, &path, &[("User-Agent", agent)]).unwrap();
            let answer = wire.answer(method == "HEAD").unwrap();
            let leads = answer.header("location").to_owned();
            if answer.closes() {
                wire = Wire::open(node.public()).unwrap();
            }
            answers.insert(format!("{method} {path} {agent}"), (answer.status, leads));
        }
    }
    answers
}

/// All codes.
fn codes(home: &Home, node: &Node) -> Vec<String> {
    links(home, node).iter().map(|link| link["code"].as_str().unwrap().to_owned()).collect()
}

fn links(home: &Home, node: &Node) -> Vec<Value> {
    let (mut all, mut cursor) = (vec![], String::new());
    loop {
        let page = home.api(node, "GET", &format!("/links?sort=code&limit=200{cursor}"), &Value::Null);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Everything that the API says: links with their totals and histories, keys, webhooks, reports.
pub fn said(home: &Home, node: &Node) -> BTreeMap<String, Value> {
    let get = |path: &str| home.api(node, "GET", path, &Value::Null);
    let mut said = BTreeMap::new();
    for link in links(home, node) {
        let code = link["code"].as_str().unwrap();
        for path in [format!("/links/{code}/history"), format!("/reports/summary?scope=link:{code}")] {
            said.insert(path.clone(), settled(get(&path)));
        }
        said.insert(format!("/links/{code}"), link);
    }
    let scopes = ["site", "link:tram", "section:City%20%26%20Region", "author:A1", "channel:x", "tag:red"];
    for scope in scopes {
        for report in
            ["series?unit=hour", "series?unit=day", "top?by=link", "top?by=trigger", "top?by=section"]
        {
            let path = format!("/reports/{report}&scope={scope}");
            said.insert(path.clone(), settled(get(&path)));
        }
    }
    said.insert("/keys".into(), get("/keys"));
    said.insert("/webhooks".into(), get("/webhooks"));
    said
}

/// A report without what depends on when it is asked for.
fn settled(mut report: Value) -> Value {
    if let Some(report) = report.as_object_mut() {
        for name in ["from", "to", "as_of", "waiting"] {
            report.remove(name);
        }
        if let Some(buckets) = report.get_mut("buckets").and_then(Value::as_array_mut) {
            buckets.retain(|b| ["clicks", "previews", "bots"].iter().any(|class| b[*class] != 0));
        }
    }
    report
}

/// An export's lines without what two stores say differently: names of datasets and streams, numbers of the audit.
pub fn exported(home: &Home) -> Vec<String> {
    let text = home.command(&["export", "-"]).done();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.retain(|line| line["kind"] != "stream" && line["kind"] != "end");
    for line in &mut lines {
        let kind = line["kind"].as_str().unwrap().to_owned();
        let line = line.as_object_mut().unwrap();
        match kind.as_str() {
            "slugline" => {
                ["dataset", "exported_at", "lanes"].iter().for_each(|name| drop(line.remove(*name)))
            }
            "audit" => drop(line.remove("id")),
            _ => {}
        }
    }
    let mut lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.sort();
    // Two lines of the audit that say the same of the same millisecond are one in Redis.
    lines.dedup_by(|one, two| one == two && one.contains("\"kind\":\"audit\""));
    lines
}

/// The first line that is not in both, for a message that can be read.
#[track_caller]
pub fn same(one: &[String], two: &[String]) {
    let times = |lines: &[String]| {
        let mut times = std::collections::BTreeMap::<String, usize>::new();
        lines.iter().for_each(|line| *times.entry(line.clone()).or_default() += 1);
        times
    };
    let (ours, theirs) = (times(one), times(two));
    let more = |one: &std::collections::BTreeMap<String, usize>,
                two: &std::collections::BTreeMap<String, usize>| {
        one.iter()
            .find(|(line, n)| two.get(*line).is_none_or(|other| other < *n))
            .map(|(line, _)| line.clone())
    };
    let first = more(&ours, &theirs).map(|line| format!("only the first has {line}"));
    let second = more(&theirs, &ours).map(|line| format!("only the second has {line}"));
    assert_eq!((first, second), (None, None));
}
