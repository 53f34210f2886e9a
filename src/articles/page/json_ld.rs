//! What JSON-LD says of the page's story.
//!
//! Guarantees an answer for any text, also one that is no JSON: depth and number of things are bounded. Finds the
//! story in graphs, arrays and main entities; knows nothing of the rest of the page.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::names;
use super::text::decode;

/// Things that are looked at in all scripts together.
const MAX_NODES: usize = 5_000;
/// Values taken out of one list.
const MAX_ITEMS: usize = 50;

type Node = Map<String, Value>;

/// A story as one thing of the page's JSON-LD describes it; texts are raw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Story {
    /// How surely it is what the page is about: 3 news, 2 articles, 1 other works, 0 the page as such.
    pub rank: u8,
    pub title: Option<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub section: Option<String>,
    pub authors: Vec<String>,
    pub published: Option<String>,
    pub modified: Option<String>,
    pub language: Option<String>,
    /// Addresses that it says are its own.
    pub addresses: Vec<String>,
    /// Who publishes it.
    pub publisher: Option<String>,
}

/// The stories of these scripts, in their order.
pub(super) fn stories(scripts: &[String]) -> Vec<Story> {
    let documents: Vec<Value> = scripts.iter().flat_map(|script| documents(script)).collect();
    let nodes = nodes(&documents);
    let mut by_id: HashMap<&str, &Node> = HashMap::new();
    for node in &nodes {
        if let Some(id) = node.get("@id").and_then(Value::as_str).filter(|_| node.len() > 1) {
            by_id.entry(id).or_insert(node);
        }
    }
    let graph = Graph(by_id);
    nodes.iter().filter_map(|node| rank(node).map(|rank| graph.story(node, rank))).collect()
}

/// The JSON values of a script. What is nearly JSON (line breaks in texts, commas too many, entities) is mended.
fn documents(script: &str) -> Vec<Value> {
    let wrapped = script.trim().trim_start_matches('\u{feff}');
    let from = wrapped.find(['{', '[']).unwrap_or(wrapped.len());
    // "//<![CDATA[" and "<!--" may stand before; an array is not begun by them.
    let from = if wrapped[..from].is_empty() { 0 } else { wrapped.find('{').unwrap_or(from) };
    let text = &wrapped[from..];
    let read = |text: &str| -> Vec<Value> {
        let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        values.map_while(Result::ok).take(MAX_ITEMS).collect()
    };
    let found = read(text);
    if !found.is_empty() {
        return found;
    }
    let found = read(&mended(text));
    if !found.is_empty() || !text.contains("&quot;") {
        return found;
    }
    read(&mended(&decode(text)))
}

/// Without control characters, and without commas before what ends a list.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        let character = if character.is_control() { ' ' } else { character };
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            quoted = true;
        } else if matches!(character, '}' | ']') {
            let end = out.trim_end().len();
            if out[..end].ends_with(',') {
                out.truncate(end - 1);
            }
        }
        out.push(character);
    }
    out
}

/// All things that may be the story: top ones, and those in lists, graphs and main entities, outer ones first.
fn nodes(documents: &[Value]) -> Vec<&Node> {
    let mut waiting: VecDeque<&Value> = documents.iter().collect();
    let mut nodes = vec![];
    let mut looked = 0;
    while let Some(value) = waiting.pop_front() {
        looked += 1;
        if looked > MAX_NODES {
            break;
        }
        match value {
            Value::Array(items) => waiting.extend(items.iter().take(MAX_NODES)),
            Value::Object(node) => {
                nodes.push(node);
                let inner = ["@graph", "mainEntity", "mainEntityOfPage", "@list", "subjectOf"];
                waiting.extend(inner.iter().filter_map(|key| node.get(*key)).filter(|v| !v.is_string()));
            }
            _ => {}
        }
    }
    nodes
}

fn rank(node: &Node) -> Option<u8> {
    let of = |kind: &str| {
        let name = kind.rsplit(['/', ':', '#']).next().unwrap_or(kind);
        Some(match name {
            "LiveBlogPosting" => 3,
            name if name.ends_with("NewsArticle") => 3,
            "Article"
            | "BlogPosting"
            | "Report"
            | "ScholarlyArticle"
            | "TechArticle"
            | "SatiricalArticle"
            | "AdvertiserContentArticle"
            | "Review"
            | "CriticReview"
            | "SocialMediaPosting" => 2,
            "VideoObject" | "AudioObject" | "PodcastEpisode" | "Recipe" | "ImageGallery" | "CreativeWork" => {
                1
            }
            "WebPage" | "ItemPage" | "VideoGallery" => 0,
            _ => return None,
        })
    };
    match node.get("@type")? {
        Value::String(kind) => of(kind),
        Value::Array(kinds) => kinds.iter().take(MAX_ITEMS).filter_map(Value::as_str).filter_map(of).max(),
        _ => None,
    }
}

/// Things by their `@id`, for those that are only pointed at.
struct Graph<'a>(HashMap<&'a str, &'a Node>);

impl Graph<'_> {
    fn story(&self, node: &Node, rank: u8) -> Story {
        let text = |keys: &[&str]| keys.iter().find_map(|key| node.get(*key).and_then(text));
        let titles: &[&str] =
            if rank == 0 { &["headline"] } else { &["headline", "name", "alternativeHeadline"] };
        let mut authors = vec![];
        for key in ["author", "creator"] {
            if authors.is_empty() {
                self.names(node.get(key), &mut authors, 0);
            }
        }
        let mut addresses = vec![];
        for key in ["mainEntityOfPage", "url", "@id"] {
            addresses.extend(node.get(key).and_then(address));
        }
        let mut publisher = vec![];
        self.names(node.get("publisher"), &mut publisher, 0);
        Story {
            rank,
            title: text(titles),
            description: text(&["description", "abstract"]),
            image: ["image", "thumbnailUrl", "thumbnail", "primaryImageOfPage"]
                .iter()
                .find_map(|key| self.image(node.get(*key)?, 0)),
            section: text(&["articleSection"]),
            authors,
            published: text(&["datePublished", "uploadDate", "dateCreated"]),
            modified: text(&["dateModified"]),
            language: node.get("inLanguage").and_then(language),
            addresses,
            publisher: publisher.into_iter().next(),
        }
    }

    /// The thing itself where only its `@id` is given.
    fn whole<'n>(&'n self, node: &'n Node, key: &str) -> &'n Node {
        let pointed = || self.0.get(node.get("@id")?.as_str()?).copied();
        if node.contains_key(key) { node } else { pointed().unwrap_or(node) }
    }

    fn names(&self, value: Option<&Value>, into: &mut Vec<String>, depth: u8) {
        match value {
            Some(Value::String(text)) => names::add(text, into),
            Some(Value::Array(items)) if depth < 4 => {
                items.iter().take(MAX_ITEMS).for_each(|item| self.names(Some(item), into, depth + 1));
            }
            Some(Value::Object(node)) if depth < 4 => {
                if let Some(list) = node.get("@list") {
                    self.names(Some(list), into, depth + 1);
                    return;
                }
                let node = self.whole(node, "name");
                let parts = || {
                    let part = |key| node.get(key).and_then(text);
                    Some(format!("{} {}", part("givenName")?, part("familyName")?))
                };
                match node.get("name") {
                    Some(Value::Array(items)) => {
                        items
                            .iter()
                            .take(MAX_ITEMS)
                            .filter_map(text)
                            .for_each(|name| names::add(&name, into));
                    }
                    Some(name) => text(name).iter().for_each(|name| names::add(name, into)),
                    None => parts().iter().for_each(|name| names::add(name, into)),
                }
            }
            _ => {}
        }
    }

    fn image(&self, value: &Value, depth: u8) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
            Value::Array(items) if depth < 4 => {
                items.iter().take(MAX_ITEMS).find_map(|item| self.image(item, depth + 1))
            }
            Value::Object(node) if depth < 4 => {
                let node = self.whole(node, "url");
                ["url", "contentUrl", "@id", "@list"]
                    .iter()
                    .find_map(|key| self.image(node.get(*key)?, depth + 1))
            }
            _ => None,
        }
    }
}

/// A text, a thing that holds one, or the first of a list.
fn text(value: &Value) -> Option<String> {
    let value = match value {
        Value::Array(items) => items.iter().take(MAX_ITEMS).find(|item| !item.is_null())?,
        value => value,
    };
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(node) => node.get("@value").or_else(|| node.get("name"))?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The address of a thing: itself, or where it says that it is.
fn address(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(node) => {
            ["@id", "url"].iter().find_map(|key| node.get(*key)?.as_str().map(str::to_owned))
        }
        Value::Array(items) => items.first()?.as_str().map(str::to_owned),
        _ => None,
    }
}

fn language(value: &Value) -> Option<String> {
    match value {
        Value::Object(node) => {
            ["alternateName", "name", "@id"].iter().find_map(|key| node.get(*key).and_then(text))
        }
        value => text(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(script: &str) -> Story {
        stories(&[script.to_owned()]).into_iter().max_by_key(|s| s.rank).unwrap_or_default()
    }

    #[test]
    fn nearly_json_is_read() {
        let table = [
            r#"{"@type":"NewsArticle","headline":"T"}"#,
            r#"{"@type":"NewsArticle","headline":"T",}"#,
            r#"[{"@type":"NewsArticle","headline":"T"},]"#,
            r#"{"@type":"NewsArticle","headline":"T"};"#,
            r#"<!-- {"@type":"NewsArticle","headline":"T"} -->"#,
            "//<![CDATA[\n{\"@type\":\"NewsArticle\",\"headline\":\"T\"}\n//]]>",
            r#"{&quot;@type&quot;:&quot;NewsArticle&quot;,&quot;headline&quot;:&quot;T&quot;}"#,
            "{\"@type\":\"NewsArticle\",\"description\":\"two\nlines, \\\" ]\",\"headline\":\"T\"}",
            r#"{"@type":"Organization"} {"@type":"NewsArticle","headline":"T"}"#,
        ];
        for script in table {
            assert_eq!(one(script).title.as_deref(), Some("T"), "{script}");
        }
    }

    #[test]
    fn hostile_json_is_harmless() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let graphs = format!("{}1{}", r#"{"@graph":["#.repeat(100), "]}".repeat(100));
        let wide = format!("[{}0]", r#"{"@type":"NewsArticle"},"#.repeat(20_000));
        let circle =
            r#"{"@graph":[{"@id":"a","@type":"NewsArticle","author":{"@id":"a"},"image":{"@id":"a"}}]}"#;
        for script in [deep.as_str(), &graphs, circle, "", "{", "null", "\"", "{\"@type\":{}}", "]["] {
            stories(&[script.to_owned()]);
        }
        assert!(stories(&[wide]).len() <= MAX_NODES);
    }
}
