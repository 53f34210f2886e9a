//! `slugline inspect`: what an article is known by, and what its page says.
//!
//! Reads as the server does, with the same configuration, but keeps nothing: it needs no store, and no network for a
//! file. A page that cannot be read is a failure that says why.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use url::Url;

use super::block_on;
use crate::articles::fetch::System;
use crate::articles::page::MAX_PAGE;
use crate::articles::reader::{Outcome, read_body};
use crate::articles::{Reader, Reading};
use crate::config::{Config, Invalid};
use crate::domain::target::MAX_URL;

#[derive(Serialize)]
struct Answer<'a> {
    canonical: &'a str,
    spellings: Vec<&'a str>,
    title: Option<&'a str>,
    description: Option<&'a str>,
    image: Option<&'a str>,
    section: Option<&'a str>,
    authors: &'a [String],
    published_at: Option<Timestamp>,
    modified_at: Option<Timestamp>,
    language: Option<&'a str>,
    site: &'a str,
}

impl Answer<'_> {
    fn of(reading: &Reading) -> Answer<'_> {
        let identity = reading.identity.as_ref().unwrap_or(&reading.form);
        let facts = &reading.facts;
        Answer {
            canonical: identity.url.as_str(),
            spellings: reading.spellings.iter().map(Url::as_str).collect(),
            title: facts.title.as_deref(),
            description: facts.description.as_deref(),
            image: facts.image.as_deref(),
            section: facts.section.as_deref(),
            authors: &facts.authors,
            published_at: facts.published_at,
            modified_at: facts.modified_at,
            language: facts.language.as_deref(),
            site: &identity.site,
        }
    }
}

/// Prints what is known of the page at this address, or of the one in the file that was read there.
pub(super) fn inspect(config: &Config, address: &str, html: Option<&Path>) -> anyhow::Result<()> {
    let address = parse(address)?;
    let of_articles = |(key, why): (&str, String)| Invalid { key: format!("articles.{key}"), why };
    let canon = config.articles.canon().map_err(of_articles)?;
    let zone = &config.newsroom.timezone;
    let zone = TimeZone::get(zone).with_context(|| format!("the zone {zone} is not known"))?;
    let reading = match html {
        Some(file) => Arc::new(read_body(&canon, &zone, &address, &body(file)?)),
        None => {
            let about = config.public_url(config.server.listen);
            let fetcher = config.articles.fetcher(&about, Arc::new(System::new())).map_err(of_articles)?;
            let (reader, _late) = Reader::new(canon, Arc::new(fetcher), zone);
            block_on(async { Ok(reader.read(&address, Instant::now()).await) })?
        }
    };
    if reading.outcome != Outcome::Read {
        bail!("{address} was not read: {}", reading.why.as_deref().unwrap_or("no reason is known"));
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &Answer::of(&reading))?;
    writeln!(out)?;
    Ok(())
}

fn parse(address: &str) -> anyhow::Result<Url> {
    let url = Url::parse(address.trim()).with_context(|| format!("\"{address}\" is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("\"{address}\" does not begin with http:// or https://");
    }
    if url.as_str().len() > MAX_URL {
        bail!("an address is at most 8 KiB long");
    }
    Ok(url)
}

/// As much of a page as is looked at.
fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    let name = || format!("{} cannot be read", file.display());
    let mut body = vec![];
    let most = u64::try_from(MAX_PAGE)?;
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut body).with_context(name)?;
    } else {
        std::fs::File::open(file).with_context(name)?.take(most).read_to_end(&mut body).with_context(name)?;
    }
    Ok(body)
}
