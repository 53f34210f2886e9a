//! `slugline classify`: what made these requests, from where, and with what.
//!
//! One request a line on stdin, as JSON or a bare agent; one line of JSON out for each, in order, whatever the line
//! is: what cannot be read is a bot that cannot be read. Judges as the server does, with the same tables.

use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Config;
use crate::domain::hit::Network;
use crate::hits::classify::hints::Hints;
use crate::hits::classify::{Classifier, Request};

/// Longest line that is read; what is beyond is skipped and the line cannot be read.
const MAX_LINE: u64 = 1 << 20;

/// What a line says besides the agent; unknown fields are left alone.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    user_agent: Option<String>,
    referrer: Option<String>,
    method: Option<String>,
    headers: Option<serde_json::Map<String, Value>>,
    query: Option<String>,
    /// `qr` for what was followed from a QR code.
    trigger: Option<String>,
    /// What a table of addresses would say: `excluded`, `data_centre`, `mail_scanner`.
    network: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    class: &'static str,
    reason: &'static str,
    name: &'a str,
    kind: &'static str,
    source: &'a str,
    medium: &'a str,
    device: &'static str,
    os: &'static str,
    browser: &'a str,
}

pub(super) fn classify(config: Config) -> anyhow::Result<()> {
    let tables = config.classifying()?;
    let mut classifier = Classifier::new(tables.into());
    let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match run(&mut classifier, BufReader::with_capacity(1 << 16, std::io::stdin().lock()), out) {
        // Who reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

fn run<R: Read>(
    classifier: &mut Classifier,
    mut from: BufReader<R>,
    mut out: impl Write,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        // Someone who types waits for an answer; a pipe that has more does not.
        if from.buffer().is_empty() {
            out.flush()?;
        }
        line.clear();
        if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return out.flush();
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < MAX_LINE;
        if !whole {
            from.skip_until(b'\n')?;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        answer(classifier, if whole { text } else { UNREADABLE }, &mut out)?;
        classifier.settle();
    }
}

/// Stands for a line that cannot be read: no agent can be this.
const UNREADABLE: &[u8] = b"\xff";

fn answer(classifier: &mut Classifier, line: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return see(classifier, &Request { user_agent: line, ..Request::default() }, out);
    }
    match serde_json::from_slice::<Line>(line) {
        Ok(line) => line.answer(classifier, out),
        Err(_) => see(classifier, &Request { user_agent: UNREADABLE, ..Request::default() }, out),
    }
}

impl Line {
    fn answer(&self, classifier: &mut Classifier, out: &mut impl Write) -> std::io::Result<()> {
        let given = |field: &Option<String>, header: &str| -> String {
            field.clone().or_else(|| self.header(header)).unwrap_or_default()
        };
        let (agent, referrer) = (given(&self.user_agent, "user-agent"), given(&self.referrer, "referer"));
        let hints: [String; 4] = ["sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "x-requested-with"]
            .map(|name| self.header(name).unwrap_or_default());
        let hints = Hints::pack(hints.each_ref().map(|hint| hint.as_bytes()));
        let ahead = ["sec-purpose", "purpose", "x-moz"].iter().filter_map(|name| self.header(name));
        let network = self.network.as_deref().unwrap_or_default();
        let query = self.query.as_deref().unwrap_or_default();
        let cut = classifier.params().cut(Some(query.strip_prefix('?').unwrap_or(query)));
        let request = Request {
            head: self.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("HEAD")),
            prefetch: ahead.into_iter().any(|purpose| is_ahead(&purpose)),
            qr: self.trigger.as_deref() == Some("qr"),
            network: Network::ALL.into_iter().find(|known| known.as_str() == network).unwrap_or_default(),
            user_agent: agent.as_bytes(),
            hints: hints.as_bytes(),
            referrer: referrer.as_bytes(),
            params: cut.as_bytes(),
        };
        see(classifier, &request, out)
    }

    /// A header's value, whatever the case of its name; of several, the first.
    fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_ref()?;
        let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        let value = value.as_array().and_then(|all| all.first()).unwrap_or(value);
        value.as_str().map(str::to_owned)
    }
}

fn is_ahead(purpose: &str) -> bool {
    let purpose = purpose.to_ascii_lowercase();
    purpose.contains("prefetch") || purpose.contains("preview")
}

fn see(classifier: &mut Classifier, request: &Request<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let seen = classifier.see(request);
    let (Some(agent), Some(source)) = (classifier.agent(seen.agent), classifier.source(seen.source)) else {
        return Ok(());
    };
    let answer = Answer {
        class: seen.class.as_str(),
        reason: seen.reason.as_str(),
        name: classifier.name(seen),
        kind: classifier.kind(seen),
        source: &source.source,
        medium: &source.medium,
        device: agent.device,
        os: agent.os,
        browser: &agent.browser,
    };
    serde_json::to_writer(&mut *out, &answer)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(input: &[u8]) -> Vec<Value> {
        let mut out = vec![];
        run(&mut Classifier::default(), BufReader::new(input), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_has_its_answer() {
        let long = vec![b'x'; (1 << 20) + 5000];
        let parts: [&[u8]; 10] = [
            b"",
            b"-",
            b"curl/8.5.0\r",
            b"{not json",
            b"{\"user_agent\": 7}",
            b"\xff\xfe\x00",
            b"{}",
            &long,
            b"\x1b[2J\x07 Firefox",
            b"{\"user_agent\": \"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\", \"new\": 1}",
        ];
        let answers = run_on(&parts.join(&b'\n'));
        let reasons: Vec<&str> = answers.iter().map(|answer| answer["reason"].as_str().unwrap()).collect();
        let expected = [
            "no_agent",
            "no_agent",
            "known_bot",
            "unreadable",
            "unreadable",
            "unreadable",
            "no_agent",
            "unreadable",
            "no_engine",
            "browser",
        ];
        assert_eq!(reasons, expected);
        assert_eq!(answers[9]["browser"], "Firefox");
    }

    #[test]
    fn all_fields_are_read() {
        let agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36";
        let table = [
            (r#""referrer": "https://t.co/abc""#, "click browser X social"),
            (r#""headers": {"Referer": ["https://www.google.at/"]}"#, "click browser Google search"),
            (r#""query": "?utm_source=whatsapp&a=b""#, "click browser WhatsApp messaging"),
            (r#""method": "head""#, "preview head Direct direct"),
            (r#""headers": {"SEC-PURPOSE": "prefetch;prerender"}"#, "preview prefetch Direct direct"),
            (r#""headers": {"X-Requested-With": "com.facebook.katana"}"#, "click in_app Facebook social"),
            (r#""trigger": "qr""#, "click browser QR code print"),
            (r#""network": "excluded""#, "bot excluded Direct direct"),
            (r#""network": "mail_scanner""#, "bot mail_scanner Direct direct"),
        ];
        for (fields, expected) in table {
            let line = format!("{{\"user_agent\": \"{agent}\", {fields}}}");
            let answer = &run_on(line.as_bytes())[0];
            let word = |name: &str| answer[name].as_str().unwrap().to_owned();
            let got = [word("class"), word("reason"), word("source"), word("medium")].join(" ");
            assert_eq!(got, expected, "{fields}");
        }
    }
}
