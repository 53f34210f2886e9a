//! `slugline classify`: one answer for each line, whatever it is; an operator's tables; a reader that goes away.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::harness::{Value, cli};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const FIELDS: [&str; 9] = ["class", "reason", "name", "kind", "source", "medium", "device", "os", "browser"];

fn answers(arguments: &[&str], input: &str) -> Vec<Value> {
    let arguments = ["classify"].iter().chain(arguments);
    let said = cli::run_with(arguments, &[], input).done();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_is_answered_in_order() {
    let input = format!(
        "{FIREFOX}\n\n{{\"user_agent\": \"WhatsApp/2.25.31.75 A\", \"method\": \"GET\"}}\n{{]\n\
         {{\"user_agent\": \"{FIREFOX}\", \"referrer\": \"https://news.google.com/\", \"query\": \"fbclid=1\"}}\ncurl/8"
    );
    let answers = answers(&[], &input);
    let classes: Vec<_> = answers.iter().map(|answer| answer["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["click", "bot", "preview", "bot", "click", "bot"]);
    for answer in &answers {
        let names: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, FIELDS);
        assert!(answer.as_object().unwrap().values().all(Value::is_string), "{answer}");
    }
    assert_eq!(answers[2]["name"], "WhatsApp");
    assert_eq!(answers[4]["source"], "Facebook");
}

#[test]
fn bytes_of_any_kind_are_answered() {
    let mut child =
        cli::command().arg("classify").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let long = [b'M'; 8192];
    let lines: [&[u8]; 5] =
        [&[0xff, 0xfe, 0x80], b"\x00\x1b[31m\x07", &long, b"{\"user_agent\": \"\xff\"}", b"\r"];
    for line in lines {
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), lines.len());
    for line in said.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["class"], "bot");
        assert!(line.len() < 1000 && !line.chars().any(char::is_control), "{line:?}");
    }
}

#[test]
fn whoever_types_is_answered_at_once_and_may_go_away() {
    let mut child = cli::command()
        .arg("classify")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    input.write_all(b"curl/8\n").unwrap();
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert!(line.contains("\"curl\""), "{line}");
    // Nobody reads from here on.
    drop(answers);
    drop(input.write_all(format!("{FIREFOX}\n").repeat(20_000).as_bytes()));
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_operators_tables_lie_over_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (agents, sources) = (path("agents.toml"), path("sources.toml"));
    std::fs::write(&agents, "[bots]\nmonitor = [[\"Our probe\", \"firefox/145\"]]\n").unwrap();
    std::fs::write(&sources, "[sources]\nsocial = [[\"Our forum\", \"forum.example.com\"]]\n").unwrap();
    let set = |key: &str, value: &str| format!("classify.{key}={value}");
    let (agents_set, sources_set) = (set("agents_file", &agents), set("sources_file", &sources));
    let input = format!("{{\"user_agent\": \"{FIREFOX}\", \"referrer\": \"https://forum.example.com/t/1\"}}");
    let answer = &answers(&["--set", &agents_set, "--set", &sources_set], &input)[0];
    assert_eq!((&answer["name"], &answer["source"]), (&"Our probe".into(), &"Our forum".into()));

    let own = ["--set", "articles.allowed_hosts=news.example.com"];
    let inside = "{\"user_agent\": \"curl/8\", \"referrer\": \"https://news.example.com/x\"}";
    assert_eq!(answers(&own, inside)[0]["medium"], "internal");

    std::fs::write(&agents, "previews = [[\"Nothing\"]]\n").unwrap();
    let ended = cli::run(["classify", "--set", &agents_set]);
    assert_eq!(ended.code, 64, "{ended:?}");
    for part in ["classify.agents_file", &agents, "previews[0]"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}
