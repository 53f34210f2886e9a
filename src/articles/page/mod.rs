//! What a page says of the story on it: title, section, authors, times, and which addresses it claims.
//!
//! Pure and total: any bytes have an answer, in bounded time and memory (at most [`MAX_PAGE`] is read). All texts are
//! on one line, without control characters, of bounded length, and still to be escaped where they are shown. Nothing
//! here decides which claim is believed; `domain::canonical` does.

mod charset;
mod dates;
mod json_ld;
mod markup;
mod names;
#[cfg(test)]
mod tests;
mod text;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use url::Url;

use crate::domain::article::{ArticleFacts, MAX_NAME};
use crate::domain::target::MAX_URL;

use json_ld::Story;
use markup::Markup;
use text::clean;

/// What is read of a page, in bytes.
pub const MAX_PAGE: usize = 1 << 20;
/// Longest title, in characters.
const MAX_TITLE: usize = 300;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 1_000;
/// Most claims that are kept.
const MAX_CLAIMS: usize = 8;

/// What a page says of its story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Headline.
    pub title: Option<String>,
    /// A sentence or two.
    pub description: Option<String>,
    /// Address of its picture.
    pub image: Option<String>,
    /// Section ("World").
    pub section: Option<String>,
    /// Names of its authors, in order.
    pub authors: Vec<String>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When it was last changed.
    pub modified_at: Option<Timestamp>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// Addresses that the page says are its own, the weightiest first: `rel=canonical`, `og:url`, JSON-LD.
    pub claims: Vec<Url>,
}

impl Metadata {
    /// What of it is kept with an article.
    #[must_use]
    pub fn facts(&self) -> ArticleFacts {
        ArticleFacts {
            title: self.title.clone(),
            description: self.description.clone(),
            section: self.section.clone(),
            authors: self.authors.clone(),
            published_at: self.published_at,
            modified_at: self.modified_at,
            image: self.image.clone(),
            language: self.language.clone(),
        }
    }
}

/// Reads a page. `url` is where it was read, `content_type` the header's value, `zone` the zone of times without one.
///
/// A page of 1 MiB takes some milliseconds; on a thread that others wait for, do it elsewhere.
#[must_use]
pub fn read(body: &[u8], content_type: Option<&str>, url: &Url, zone: &TimeZone) -> Metadata {
    let page = charset::decode(body.get(..MAX_PAGE).unwrap_or(body), content_type);
    let mut markup = markup::read(&page);
    parsely(&mut markup);
    let base = markup.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone());
    let claims = claims(&markup, &base);
    let stories = about_this_page(json_ld::stories(&markup.scripts), url, &claims);
    let reader = Reader { markup: &markup, stories: &stories, base: &base, zone };
    Metadata {
        title: reader.title(url),
        description: reader.text(|s| &s.description, &DESCRIPTIONS, MAX_DESCRIPTION),
        image: reader.image(),
        section: reader.text(|s| &s.section, &SECTIONS, MAX_NAME),
        authors: reader.authors(url),
        published_at: reader.time(|s| &s.published, &PUBLISHED),
        modified_at: reader.time(|s| &s.modified, &MODIFIED),
        language: reader.language(),
        claims: with_stories(claims, &stories, &base),
    }
}

// Names of meta elements, the weightiest first. "itemprop:" are those of microdata.
const TITLES: [&str; 6] =
    ["og:title", "parsely-title", "twitter:title", "dc.title", "sailthru.title", "title"];
const DESCRIPTIONS: [&str; 6] = [
    "og:description",
    "parsely-description",
    "twitter:description",
    "description",
    "dc.description",
    "sailthru.description",
];
const IMAGES: [&str; 7] = [
    "og:image",
    "og:image:url",
    "og:image:secure_url",
    "parsely-image-url",
    "twitter:image",
    "twitter:image:src",
    "thumbnail",
];
const SECTIONS: [&str; 5] =
    ["article:section", "og:article:section", "parsely-section", "section", "itemprop:articlesection"];
const AUTHORS: [&str; 18] = [
    "article:author",
    "og:article:author",
    "parsely-author",
    "author",
    "article:author_name",
    "authors",
    "byl",
    "dc.creator",
    "dcterms.creator",
    "sailthru.author",
    "itemprop:author",
    "article_author",
    "article.author",
    "author_name",
    "rnews:author",
    "dcsext.author",
    "citation_author",
    "shareaholic:article_author_name",
];
const PUBLISHED: [&str; 40] = [
    "article:published_time",
    "article:published",
    "og:article:published_time",
    "og:published_time",
    "parsely-pub-date",
    "itemprop:datepublished",
    "datepublished",
    "date",
    "pubdate",
    "publishdate",
    "publish-date",
    "publish_date",
    "publication_date",
    "published_at",
    "published-date",
    "article.published",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "dcterms.date",
    "dcterms.created",
    "sailthru.date",
    "cxenseparse:recs:publishtime",
    "article_date_original",
    "article:publicationdate",
    "article:post_date",
    "article.created",
    "pub_date",
    "published_date",
    "date_published",
    "publicationdate",
    "originalpublicationdate",
    "rnews:datepublished",
    "og:pubdate",
    "bt:pubdate",
    "iso-8601-publish-date",
    "dcsext.articlefirstpublished",
    "shareaholic:article_published_time",
    "itemprop:datecreated",
    "time:article",
];
const MODIFIED: [&str; 12] = [
    "article:modified_time",
    "article:modified",
    "og:article:modified_time",
    "og:updated_time",
    "itemprop:datemodified",
    "datemodified",
    "last-modified",
    "lastmod",
    "dcterms.modified",
    "dc.date.modified",
    "revised",
    "article.updated",
];
const LANGUAGES: [&str; 4] = ["og:locale", "content-language", "dc.language", "language"];

/// What one element says as JSON, under the names that others give it.
fn parsely(markup: &mut Markup) {
    let page = markup.all("parsely-page").next();
    let Some(Ok(Value::Object(page))) = page.map(serde_json::from_str::<Value>) else { return };
    for (field, name) in [
        ("title", "parsely-title"),
        ("pub_date", "parsely-pub-date"),
        ("author", "parsely-author"),
        ("authors", "parsely-author"),
        ("section", "parsely-section"),
        ("image_url", "parsely-image-url"),
    ] {
        match page.get(field) {
            Some(Value::String(text)) => markup.add(name, text.clone()),
            Some(list @ Value::Array(_)) => markup.add(name, list.to_string()),
            _ => {}
        }
    }
}

/// The claims of the page's head, absolute and bounded.
fn claims(markup: &Markup, base: &Url) -> Vec<Url> {
    let said = markup.links("canonical").chain(markup.all("og:url"));
    said.filter_map(|address| absolute(address, base)).take(MAX_CLAIMS).collect()
}

fn with_stories(mut claims: Vec<Url>, stories: &[Story], base: &Url) -> Vec<Url> {
    let said = stories.iter().filter(|s| s.rank > 0).flat_map(|s| &s.addresses);
    for url in said.filter_map(|address| absolute(address, base)) {
        if claims.len() < MAX_CLAIMS && !claims.contains(&url) {
            claims.push(url);
        }
    }
    claims
}

fn absolute(address: &str, base: &Url) -> Option<Url> {
    let address = address.trim();
    if address.is_empty() || address.starts_with('#') || address.len() > MAX_URL {
        return None;
    }
    let url = base.join(address).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MAX_URL;
    Some(url).filter(|url| fits && url.username().is_empty() && url.password().is_none())
}

/// The stories that may be this page's, best first. A page may describe others too (those it links to), which say
/// that they are elsewhere.
fn about_this_page(stories: Vec<Story>, url: &Url, claims: &[Url]) -> Vec<Story> {
    let place = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let here: Vec<String> = claims.iter().map(place).chain([place(url)]).collect();
    let mut stories: Vec<(bool, Story)> = stories
        .into_iter()
        .map(|story| {
            let addresses: Vec<Url> = story.addresses.iter().filter_map(|a| absolute(a, url)).collect();
            let is_here = addresses.is_empty() || addresses.iter().any(|a| here.contains(&place(a)));
            (is_here, story)
        })
        .collect();
    let best = stories.iter().map(|(is_here, story)| (story.rank > 0 && *is_here, story.rank)).max();
    stories.sort_by_key(|(is_here, story)| std::cmp::Reverse((story.rank > 0 && *is_here, story.rank)));
    // One that says it is elsewhere counts only if no other is here: its address may be an old one.
    let elsewhere = best.is_some_and(|(is_here, _)| !is_here);
    let mut first = true;
    stories.retain(|(is_here, _)| std::mem::take(&mut first) && elsewhere || *is_here);
    stories.into_iter().map(|(_, story)| story).collect()
}

/// One text of a story.
type OfStory = fn(&Story) -> &Option<String>;

/// Looks through all sources in their order.
struct Reader<'a> {
    markup: &'a Markup,
    stories: &'a [Story],
    base: &'a Url,
    zone: &'a TimeZone,
}

impl Reader<'_> {
    /// All that is said, JSON-LD first.
    fn said<'a>(&'a self, of_story: OfStory, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let of_stories = self.stories.iter().filter_map(move |story| of_story(story).as_deref());
        of_stories.chain(names.iter().flat_map(|name| self.markup.all(name)))
    }

    fn text(&self, of_story: OfStory, names: &[&str], most: usize) -> Option<String> {
        self.said(of_story, names).find_map(|text| clean(text, most))
    }

    fn time(&self, of_story: OfStory, names: &[&str]) -> Option<Timestamp> {
        self.said(of_story, names).find_map(|text| dates::read(text, self.zone))
    }

    fn title(&self, url: &Url) -> Option<String> {
        let told = self.text(|s| &s.title, &TITLES, MAX_TITLE);
        let title = told.or_else(|| clean(&self.markup.title, MAX_TITLE))?;
        Some(text::without_site(&title, &self.sites(url)))
    }

    /// What the page's site is called.
    fn sites(&self, url: &Url) -> Vec<String> {
        let names = ["og:site_name", "application-name", "parsely-site"];
        let mut sites: Vec<String> =
            names.iter().flat_map(|name| self.markup.all(name)).filter_map(|n| clean(n, MAX_NAME)).collect();
        sites.extend(self.stories.iter().filter_map(|s| s.publisher.clone()));
        // "www.the-courier.test" is called "the-courier", and "the-courier.test".
        let host = url.host_str().unwrap_or_default().trim_start_matches("www.");
        sites.extend([host.split('.').next().unwrap_or_default().to_owned(), host.to_owned()]);
        sites
    }

    fn image(&self) -> Option<String> {
        let said = self.said(|s| &s.image, &IMAGES).chain(self.markup.links("image_src"));
        let mut images = said.filter_map(|address| absolute(&text::decode(address), self.base));
        images.next().map(String::from)
    }

    /// The page's own site is an author only of what has no other.
    fn authors(&self, url: &Url) -> Vec<String> {
        let (mut authors, sites) = (self.named_authors(), self.sites(url));
        let is_site = |name: &String| sites.iter().any(|site| site.eq_ignore_ascii_case(name));
        if authors.iter().any(|name| !is_site(name)) {
            authors.retain(|name| !is_site(name));
        }
        authors
    }

    fn named_authors(&self) -> Vec<String> {
        if let Some(story) = self.stories.iter().find(|story| !story.authors.is_empty()) {
            return story.authors.clone();
        }
        let labelled = self.markup.all("twitter:label1").next().is_some_and(names::is_by);
        if let Some(by) = self.markup.all("twitter:data1").next().filter(|_| labelled) {
            let mut authors = vec![];
            names::add(by, &mut authors);
            if !authors.is_empty() {
                return authors;
            }
        }
        for name in AUTHORS {
            let mut authors = vec![];
            for text in self.markup.all(name) {
                match serde_json::from_str::<Vec<String>>(text) {
                    Ok(list) => list.iter().for_each(|name| names::add(name, &mut authors)),
                    Err(_) => names::add(text, &mut authors),
                }
            }
            if !authors.is_empty() {
                return authors;
            }
        }
        self.visible_authors()
    }

    /// Those that readers see: what says that it names an author, else the first byline that begins as one.
    fn visible_authors(&self) -> Vec<String> {
        for kind in 0..3 {
            let mut authors = vec![];
            self.markup.author_texts(kind).for_each(|text| names::add_seen(&text, &mut authors));
            if !authors.is_empty() {
                return authors;
            }
        }
        let mut authors = vec![];
        let byline = self.markup.author_texts(3).find(|text| names::begins_with_by(text));
        byline.iter().for_each(|text| names::add_seen(text, &mut authors));
        authors
    }

    fn language(&self) -> Option<String> {
        let of_stories = self.stories.iter().find_map(|s| s.language.as_deref().and_then(text::language));
        let of_page = || self.markup.language.as_deref().and_then(text::language);
        let of_metas = || LANGUAGES.iter().flat_map(|n| self.markup.all(n)).find_map(text::language);
        of_stories.or_else(of_page).or_else(of_metas)
    }
}
