//! How long reports take: the same ones over and over, one after another.
//!
//! Guarantees medians over many askings of each, after one that is not timed. Refuses to know how many hits are
//! behind them; run it against two stores and compare.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::api::{Api, runtime};

/// What a page of a link and the overview ask for; from this date on where it is not the last days.
fn reports(code: &str, from: &str) -> Vec<String> {
    let mut paths = vec![
        format!("summary?scope=link:{code}"),
        format!("series?scope=link:{code}&unit=hour"),
        format!("series?scope=link:{code}&unit=day&from={from}"),
        "summary?scope=site".to_owned(),
        "series?scope=site&unit=hour".to_owned(),
    ];
    for by in [
        "source", "medium", "referrer", "country", "device", "os", "browser", "trigger", "target", "preview",
        "bot",
    ] {
        paths.push(format!("top?scope=link:{code}&by={by}&from={from}"));
    }
    for by in ["article", "creator", "host", "source", "country", "bot"] {
        paths.push(format!("top?scope=site&by={by}&limit=100"));
    }
    paths.push(format!("top?scope=site&by=link&limit=100&from={}", ago(30)));
    paths
}

/// The date so many days ago.
pub(crate) fn ago(days: i64) -> String {
    jiff::Zoned::now().date().saturating_sub(jiff::Span::new().days(days)).to_string()
}

/// Times each report `times` times; prints a table of medians in microseconds and gives them as JSON.
pub(crate) fn run(api: &Api, code: &str, times: usize) -> Result<Value> {
    let runtime = runtime()?;
    let mut all = serde_json::Map::new();
    let mut sum = 0;
    println!("| report | median, µs |\n|---|---|");
    for path in reports(code, &ago(90)) {
        let mut taken = Vec::with_capacity(times);
        for round in 0..=times {
            let began = Instant::now();
            let answer = runtime.block_on(api.report(&path))?;
            ensure!(!answer.is_empty(), "{path} answered nothing");
            if round == 0 {
                println!("| {path}, the first time | {} |", began.elapsed().as_micros());
            } else {
                taken.push(u64::try_from(began.elapsed().as_micros())?);
            }
        }
        taken.sort_unstable();
        let median = taken.get(taken.len() / 2).copied().unwrap_or(0);
        println!("| {path} | {median} |");
        sum += median;
        all.insert(path, json!(median));
    }
    println!("| **all of them** | **{sum}** |");
    all.insert("all".to_owned(), json!(sum));
    Ok(Value::Object(all))
}
