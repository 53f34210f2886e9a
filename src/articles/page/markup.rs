//! What a page's markup says of it: one pass over the text, nothing built from it but what is looked for.
//!
//! Guarantees an answer for any text and bounded memory: a page may be one endless tag. Knows names and values, not
//! what they mean.

use std::borrow::Cow;
use std::cell::RefCell;

use lol_html::errors::SelectorError;
use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HandlerResult, HtmlRewriter, MemorySettings, Selector, Settings};

use super::text::{decode, first};

/// Bytes given to the parser at once.
const PIECE: usize = 16 * 1024;
/// What the parser may keep, so also the longest tag.
const MAX_TAG: usize = 256 * 1024;
const MAX_METAS: usize = 1_000;
const MAX_LINKS: usize = 50;
/// Most texts of each kind of author.
const MAX_TEXTS: usize = 20;
/// Longest text of an author, in bytes: a longer one is more than names.
const MAX_AUTHOR: usize = 200;
/// Classes of bylines.
const BYLINES: &str = ".byline, .byline-name, .byline__name, .author, .author-name, .article-author, .article__author, \
    .article-byline, .article__byline, .post-author, .entry-author";
/// Longest value of an attribute that is kept, in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// Blocks of JSON that are looked at.
const MAX_SCRIPTS: usize = 40;

/// What was found, in the order of the page.
#[derive(Debug, Default)]
pub(super) struct Markup {
    /// The page's title as it is written.
    pub title: String,
    /// (name in lower case, content) of meta elements and of the few others that say the like.
    pub metas: Vec<(String, String)>,
    /// (word of `rel` in lower case, address).
    pub links: Vec<(String, String)>,
    /// Texts of JSON-LD scripts.
    pub scripts: Vec<String>,
    /// What relative addresses are relative to.
    pub base: Option<String>,
    /// `lang` of the document.
    pub language: Option<String>,
    /// Texts of elements that say they are an author: `rel=author`, microdata's name of one, microdata's author, and
    /// bylines by their class, which is only a habit.
    pub authors: [Vec<String>; 4],
    in_title: bool,
    in_script: bool,
    /// A picture has begun, and what is called a title now is its.
    drawing: bool,
}

/// Reads a page.
pub(super) fn read(page: &str) -> Markup {
    let found = RefCell::new(Markup::default());
    // Selectors are constants: a test reads them.
    if let Ok(settings) = settings(&found) {
        let mut parser = HtmlRewriter::new(settings, |_: &[u8]| ());
        let whole = page.as_bytes().chunks(PIECE).all(|piece| parser.write(piece).is_ok());
        // What was found before something that cannot be read stands; after an error nothing may be written.
        if whole {
            let _ = parser.end();
        }
    }
    found.into_inner()
}

/// What is done at an element, or with a piece of its text.
type AtElement = fn(&mut Markup, &Element<'_, '_>);
type AtText = fn(&mut Markup, &TextChunk<'_>);

fn settings(found: &RefCell<Markup>) -> Result<Settings<'_, 'static>, SelectorError> {
    let places: [(&str, AtElement, Option<AtText>); 14] = [
        ("html", at_html, None),
        ("base", at_base, None),
        ("meta", at_meta, None),
        ("link", at_link, None),
        ("svg", |found, _| found.drawing = true, None),
        ("title", at_title, Some(title_text)),
        ("script", at_script, Some(script_text)),
        ("time", at_time, None),
        ("article time[datetime], main time[datetime]", at_article_time, None),
        ("[itemprop]", at_property, None),
        ("a[rel~=author]", |found, _| found.begin_author(0), Some(|found, text| found.add_author(0, text))),
        (
            "[itemprop~=author] [itemprop~=name]",
            |found, _| found.begin_author(1),
            Some(|found, text| found.add_author(1, text)),
        ),
        (
            "[itemprop~=author]",
            |found, _| found.begin_author(2),
            Some(|found, text| found.add_author(2, text)),
        ),
        (BYLINES, |found, _| found.begin_author(3), Some(|found, text| found.add_author(3, text))),
    ];
    let memory = MemorySettings::new().with_max_allowed_memory_usage(MAX_TAG);
    let mut settings = Settings::new().with_strict(false).with_memory_settings(memory);
    for (selector, at_element, at_text) in places {
        // Handlers are called one after the other, so nobody else has borrowed what was found.
        let mut handlers = ElementContentHandlers::default().element(
            move |element: &mut Element<'_, '_>| -> HandlerResult {
                at_element(&mut found.borrow_mut(), element);
                Ok(())
            },
        );
        if let Some(at_text) = at_text {
            handlers = handlers.text(move |text: &mut TextChunk<'_>| -> HandlerResult {
                at_text(&mut found.borrow_mut(), text);
                Ok(())
            });
        }
        let selector: Selector = selector.parse()?;
        settings = settings.append_element_content_handler((Cow::Owned(selector), handlers));
    }
    Ok(settings)
}

/// The value of an attribute, decoded and bounded.
fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(decode(first(&value, MAX_VALUE)).trim().to_owned()).filter(|value| !value.is_empty())
}

fn at_html(found: &mut Markup, element: &Element<'_, '_>) {
    if found.language.is_none() {
        found.language = attribute(element, "lang").or_else(|| attribute(element, "xml:lang"));
    }
}

fn at_base(found: &mut Markup, element: &Element<'_, '_>) {
    if found.base.is_none() {
        found.base = attribute(element, "href");
    }
}

fn at_meta(found: &mut Markup, element: &Element<'_, '_>) {
    let Some(content) = attribute(element, "content").or_else(|| attribute(element, "value")) else { return };
    for attribute_name in ["property", "name", "http-equiv"] {
        if let Some(names) = attribute(element, attribute_name) {
            for name in names.split_whitespace() {
                found.add(name, content.clone());
            }
        }
    }
}

/// Microdata: an element says in an attribute what it is about.
fn at_property(found: &mut Markup, element: &Element<'_, '_>) {
    let value = ["content", "datetime"].into_iter().find_map(|name| attribute(element, name));
    if let (Some(names), Some(value)) = (attribute(element, "itemprop"), value) {
        for name in names.split_whitespace() {
            found.add(&format!("itemprop:{name}"), value.clone());
        }
    }
}

fn at_time(found: &mut Markup, element: &Element<'_, '_>) {
    if element.has_attribute("pubdate")
        && let Some(value) = attribute(element, "datetime")
    {
        found.add("pubdate", value);
    }
}

/// The first of an article's times is when it was published, if nothing else says so.
fn at_article_time(found: &mut Markup, element: &Element<'_, '_>) {
    if let Some(value) = attribute(element, "datetime") {
        found.add("time:article", value);
    }
}

fn at_link(found: &mut Markup, element: &Element<'_, '_>) {
    let (Some(words), Some(href)) = (attribute(element, "rel"), attribute(element, "href")) else { return };
    for word in words.split_whitespace().map(str::to_ascii_lowercase) {
        if matches!(word.as_str(), "canonical" | "image_src") && found.links.len() < MAX_LINKS {
            found.links.push((word, href.clone()));
        }
    }
}

fn at_title(found: &mut Markup, _: &Element<'_, '_>) {
    found.in_title = found.title.is_empty() && !found.drawing;
}

fn title_text(found: &mut Markup, text: &TextChunk<'_>) {
    if found.in_title && found.title.len() < MAX_VALUE {
        found.title.push_str(first(text.as_str(), MAX_VALUE));
    }
}

fn at_script(found: &mut Markup, element: &Element<'_, '_>) {
    let kind = attribute(element, "type").unwrap_or_default().to_ascii_lowercase();
    found.in_script = kind.contains("ld+json") && found.scripts.len() < MAX_SCRIPTS;
    if found.in_script {
        found.scripts.push(String::new());
    }
}

fn script_text(found: &mut Markup, text: &TextChunk<'_>) {
    if found.in_script
        && let Some(script) = found.scripts.last_mut()
    {
        script.push_str(text.as_str());
    }
}

impl Markup {
    fn begin_author(&mut self, kind: usize) {
        if let Some(texts) = self.authors.get_mut(kind).filter(|texts| texts.len() < MAX_TEXTS) {
            texts.push(String::new());
        }
    }

    fn add_author(&mut self, kind: usize, text: &TextChunk<'_>) {
        let last = self.authors.get_mut(kind).and_then(|texts| texts.last_mut());
        if let Some(last) = last.filter(|last| last.len() <= MAX_AUTHOR) {
            last.push_str(first(text.as_str(), MAX_AUTHOR + 1));
        }
    }

    /// Texts of authors of a kind that are short enough to be names.
    pub fn author_texts(&self, kind: usize) -> impl Iterator<Item = String> + '_ {
        let texts = self.authors.get(kind).into_iter().flatten();
        texts.filter(|text| text.len() <= MAX_AUTHOR).map(|text| decode(text).into_owned())
    }

    /// Notes what is said under a name.
    pub fn add(&mut self, name: &str, content: String) {
        if self.metas.len() < MAX_METAS {
            self.metas.push((name.to_ascii_lowercase(), content));
        }
    }

    /// All that is said under a name, in the order of the page.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.metas.iter().filter(move |(n, _)| n == name).map(|(_, content)| content.as_str())
    }

    /// Addresses of links of this kind.
    pub fn links<'a>(&'a self, rel: &'a str) -> impl Iterator<Item = &'a str> {
        self.links.iter().filter(move |(r, _)| r == rel).map(|(_, href)| href.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_found() {
        let found = read(
            "<!doctype html><HTML lang=de-DE><head><title>A &amp; B</title><base href='/x/'>\
             <META Property='OG:Title' content='T &quot;q&quot;'><meta name=author content=Ann>\
             <link rel='alternate Canonical' href='/a?b=1&amp;c=2'><script>var x = '</title>';</script>\
             <script type='Application/LD+JSON; charset=utf-8'>{\"a\":1}</script></head><body>\
             <svg><title>drawing</title></svg><time pubdate datetime='2026-11-23'>today</time>\
             <span itemprop='datePublished dateCreated' content='2026'></span></body>",
        );
        assert_eq!(found.title, "A &amp; B");
        assert_eq!(found.all("og:title").next(), Some("T \"q\""));
        assert_eq!(found.links("canonical").collect::<Vec<_>>(), ["/a?b=1&c=2"]);
        assert_eq!(found.scripts, ["{\"a\":1}"]);
        assert_eq!((found.base.as_deref(), found.language.as_deref()), (Some("/x/"), Some("de-DE")));
        assert_eq!(found.all("pubdate").count() + found.all("itemprop:datecreated").count(), 2);
    }

    #[test]
    fn hostile_markup_is_harmless() {
        let endless = format!("<title>here</title><meta {}", "a='b' ".repeat(200_000));
        assert_eq!(read(&endless).title, "here");
        let wide = format!("<meta name=description content='{}'>", "x".repeat(100_000));
        assert_eq!(read(&wide).all("description").next().map(str::len), Some(MAX_VALUE));
        let many = "<meta name=author content=x>".repeat(20_000);
        assert_eq!(read(&many).metas.len(), MAX_METAS);
        let deep = format!("{}<title>deep</title>", "<div>".repeat(50_000));
        read(&deep);
        for broken in
            ["<", "<meta", "<title>", "</title>", "<script type=ld+json", "<!--", "<![CDATA[", "\0<\0>"]
        {
            read(broken);
        }
        let scripts = "<script type='application/ld+json'>{}</script>".repeat(100);
        assert_eq!(read(&scripts).scripts.len(), MAX_SCRIPTS);
    }
}
