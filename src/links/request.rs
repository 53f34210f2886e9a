//! What clients may ask of links, field by field, and its checks.
//!
//! The names are the contract's. Guarantees that what passes [`NewLink::check`] or [`Change::check`] may be
//! stored: lengths, characters, order of times. Knows nothing of who asks or what is there.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::domain::article::{ArticleFacts, MAX_AUTHORS, MAX_CMS_ID, MAX_NAME};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{MAX_CHANNEL, MAX_NOTE, MAX_TAG, MAX_TAGS, MAX_TITLE, REDIRECT_STATUSES};

/// `POST /links`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewLink)]
pub struct NewLink {
    /// The address to shorten. Required, except with `reserve`.
    pub url: Option<String>,
    /// The code it shall have; drawn if not given.
    pub code: Option<String>,
    /// Where it will be shared.
    pub channel: Option<String>,
    /// One link for each of these channels.
    pub channels: Option<Vec<String>>,
    /// The campaign it belongs to.
    pub campaign: Option<String>,
    /// A title of its own, at most 300 characters.
    pub title: Option<String>,
    /// At most 20 of at most 50 characters.
    pub tags: Option<Vec<String>>,
    /// For colleagues, at most 2,000 characters.
    pub note: Option<String>,
    /// Opens at this time (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// Closes at this time (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Where visits go after that.
    pub expired_url: Option<String>,
    /// 301, 302 (default), 307 or 308.
    pub redirect_status: Option<u16>,
    /// Appends the visit's query to the target's.
    pub forward_query: Option<bool>,
    /// Until it opens, its title and target are shown to its maker and admins alone.
    pub confidential: Option<bool>,
    /// Keeps tracking parameters in the target.
    pub keep_params: Option<bool>,
    /// The CMS's id of the article; wins over its address.
    pub cms_id: Option<String>,
    /// What the CMS knows of the article.
    #[schema(value_type = Option<ArticleFactsSchema>)]
    pub article: Option<ArticleFacts>,
    /// Makes a link even if there is one for the same.
    pub force_new: Option<bool>,
    /// A code without a target yet; takes no `url`.
    pub reserve: Option<bool>,
}

/// What the CMS or staff say of an article.
#[derive(ToSchema)]
#[schema(as = ArticleFacts)]
pub struct ArticleFactsSchema {
    /// Headline, at most 300 characters.
    pub title: Option<String>,
    /// Section, at most 100 characters.
    pub section: Option<String>,
    /// At most 20 names of at most 100 characters.
    pub authors: Vec<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub published_at: Option<String>,
    /// Address of its picture.
    pub image: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
}

/// `PATCH /links/{code}`: a field that is missing stays, `null` clears.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LinkChange)]
pub struct Change {
    /// The version that was read. Required.
    pub version: Option<u64>,
    /// The new target; never `null`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub url: Option<Option<String>>,
    /// Keeps tracking parameters in the target.
    pub keep_params: Option<bool>,
    /// Where it is shared.
    #[serde(deserialize_with = "given")]
    pub channel: Option<Option<String>>,
    /// The campaign it belongs to.
    #[serde(deserialize_with = "given")]
    pub campaign: Option<Option<String>>,
    /// A title of its own.
    #[serde(deserialize_with = "given")]
    pub title: Option<Option<String>>,
    /// Replaces all tags.
    #[serde(deserialize_with = "given")]
    pub tags: Option<Option<Vec<String>>>,
    /// For colleagues.
    #[serde(deserialize_with = "given")]
    pub note: Option<Option<String>>,
    /// Opens at this time.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Option<Timestamp>>,
    /// Closes at this time.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<Timestamp>>,
    /// Where visits go after that.
    #[serde(deserialize_with = "given")]
    pub expired_url: Option<Option<String>>,
    /// Shown to readers while it is closed.
    #[serde(deserialize_with = "given")]
    pub message: Option<Option<String>>,
    /// 301, 302, 307 or 308; `null` is 302.
    #[serde(deserialize_with = "given")]
    pub redirect_status: Option<Option<u16>>,
    /// Appends the visit's query.
    #[serde(deserialize_with = "given")]
    pub forward_query: Option<Option<bool>>,
    /// Until it opens, its title and target are shown to its maker and admins alone.
    #[serde(deserialize_with = "given")]
    pub confidential: Option<Option<bool>>,
    /// Switches it off or on.
    #[serde(deserialize_with = "given")]
    pub disabled: Option<Option<bool>>,
    /// Puts back how it was at this version; goes with no other field.
    pub revert_to: Option<u64>,
}

/// Tells a field that is `null` from one that is missing.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(d).map(Some)
}

impl NewLink {
    /// Trims, sorts and checks the fields that need nothing else.
    ///
    /// # Errors
    /// `missing`, `out_of_range`, `invalid_value`.
    pub fn check(mut self) -> Result<NewLink, Refusal> {
        let reserve = self.reserve == Some(true);
        if reserve && self.url.is_some() {
            return Err(Refusal::field(Reason::InvalidValue, "reserve", "a reserved code takes no url yet"));
        }
        if !reserve && self.url.is_none() {
            return Err(Refusal::field(Reason::Missing, "url", "the address to shorten is missing"));
        }
        if self.channel.is_some() && self.channels.is_some() {
            return Err(Refusal::field(
                Reason::InvalidValue,
                "channels",
                "give channel or channels, not both",
            ));
        }
        if let Some(channels) = &mut self.channels {
            if self.code.is_some() && channels.len() != 1 {
                let detail = "one code cannot be that of several links";
                return Err(Refusal::field(Reason::InvalidValue, "code", detail));
            }
            if channels.is_empty() || channels.len() > 50 {
                return Err(Refusal::field(Reason::OutOfRange, "channels", "1 to 50 channels"));
            }
            for channel in channels.iter_mut() {
                let name = text("channels", Some(std::mem::take(channel)), MAX_CHANNEL)?;
                *channel = name.ok_or_else(|| {
                    Refusal::field(Reason::InvalidValue, "channels", "a channel needs a name")
                })?;
            }
            let mut seen = std::collections::HashSet::new();
            channels.retain(|c| seen.insert(c.clone()));
        }
        self.channel = text("channel", self.channel, MAX_CHANNEL)?;
        self.campaign = text("campaign", self.campaign, MAX_CHANNEL)?;
        self.title = text("title", self.title, MAX_TITLE)?;
        self.note = long_text("note", self.note, MAX_NOTE)?;
        self.tags = Some(tags(self.tags.unwrap_or_default())?);
        self.cms_id = text("cms_id", self.cms_id, MAX_CMS_ID)?;
        self.redirect_status = redirect_status(self.redirect_status)?;
        self.article = self.article.map(|said| facts(said, "article.")).transpose()?;
        order(self.not_before, self.expires_at)?;
        Ok(self)
    }
}

impl Change {
    /// Trims and checks the fields that need nothing else.
    ///
    /// # Errors
    /// `missing`, `out_of_range`, `invalid_value`.
    pub fn check(mut self) -> Result<Change, Refusal> {
        if self.version.is_none() {
            return Err(Refusal::field(Reason::Missing, "version", "the version that was read is missing"));
        }
        if self.url == Some(None) {
            return Err(Refusal::field(
                Reason::InvalidValue,
                "url",
                "a target cannot be taken away; disable the link",
            ));
        }
        self.channel = self.channel.map(|v| text("channel", v, MAX_CHANNEL)).transpose()?;
        self.campaign = self.campaign.map(|v| text("campaign", v, MAX_CHANNEL)).transpose()?;
        self.title = self.title.map(|v| text("title", v, MAX_TITLE)).transpose()?;
        self.note = self.note.map(|v| long_text("note", v, MAX_NOTE)).transpose()?;
        self.message = self.message.map(|v| long_text("message", v, MAX_NOTE)).transpose()?;
        self.tags = self.tags.map(|v| tags(v.unwrap_or_default()).map(Some)).transpose()?;
        self.redirect_status = self.redirect_status.map(redirect_status).transpose()?;
        let others = Change { version: self.version, revert_to: self.revert_to, ..Change::default() };
        if self.revert_to.is_some() && self != others {
            let detail = "revert_to goes with no other field";
            return Err(Refusal::field(Reason::InvalidValue, "revert_to", detail));
        }
        Ok(self)
    }
}

/// Refuses a link that would close before it opens.
pub fn order(not_before: Option<Timestamp>, expires_at: Option<Timestamp>) -> Result<(), Refusal> {
    match (not_before, expires_at) {
        (Some(opens), Some(closes)) if closes <= opens => {
            Err(Refusal::field(Reason::InvalidValue, "expires_at", "a link cannot close before it opens"))
        }
        _ => Ok(()),
    }
}

/// One line of text: trimmed; empty is none; no control characters; at most `max` characters.
pub fn text(field: &'static str, value: Option<String>, max: usize) -> Result<Option<String>, Refusal> {
    bounded(field, value, max, |_| false)
}

/// The same with line breaks and tabs.
fn long_text(field: &'static str, value: Option<String>, max: usize) -> Result<Option<String>, Refusal> {
    bounded(field, value, max, |c| c == '\n' || c == '\t')
}

fn bounded(
    field: &'static str,
    value: Option<String>,
    max: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<Option<String>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let value = value.replace("\r\n", "\n");
    let trimmed = value.trim();
    if trimmed.chars().count() > max {
        return Err(Refusal::field(Reason::OutOfRange, field, format!("at most {max} characters")));
    }
    if trimmed.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(Refusal::field(Reason::InvalidValue, field, "control characters are not allowed"));
    }
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

fn tags(given: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut tags = Vec::with_capacity(given.len().min(MAX_TAGS));
    for tag in given {
        tags.extend(text("tags", Some(tag), MAX_TAG)?);
    }
    tags.sort();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        return Err(Refusal::field(Reason::OutOfRange, "tags", format!("at most {MAX_TAGS} tags")));
    }
    Ok(tags)
}

fn redirect_status(status: Option<u16>) -> Result<Option<u16>, Refusal> {
    match status {
        Some(status) if !REDIRECT_STATUSES.contains(&status) => {
            Err(Refusal::field(Reason::InvalidValue, "redirect_status", "301, 302, 307 or 308"))
        }
        status => Ok(status),
    }
}

/// What readers are told.
pub(super) fn message(message: Option<String>) -> Result<Option<String>, Refusal> {
    long_text("message", message, MAX_NOTE)
}

/// Checks what is said of a story. The fields' names begin with `within`.
pub(super) fn facts(facts: ArticleFacts, within: &str) -> Result<ArticleFacts, Refusal> {
    let named =
        |name: &str, refusal: Refusal| Refusal { field: Some(format!("{within}{name}").into()), ..refusal };
    let line =
        |name: &'static str, value, max| text(name, value, max).map_err(|refusal| named(name, refusal));
    if facts.authors.len() > MAX_AUTHORS {
        let detail = format!("at most {MAX_AUTHORS}");
        return Err(named("authors", Refusal::new(Reason::OutOfRange, detail)));
    }
    let mut authors = Vec::with_capacity(facts.authors.len());
    for author in facts.authors {
        if let Some(author) = line("authors", Some(author), MAX_NAME)?
            && !authors.contains(&author)
        {
            authors.push(author);
        }
    }
    let image = line("image", facts.image, crate::domain::target::MAX_URL)?;
    if let Some(image) = &image
        && !url::Url::parse(image).is_ok_and(|u| matches!(u.scheme(), "http" | "https"))
    {
        return Err(named("image", Refusal::new(Reason::InvalidUrl, "not an http(s) address")));
    }
    Ok(ArticleFacts {
        title: line("title", facts.title, MAX_TITLE)?,
        section: line("section", facts.section, MAX_NAME)?,
        authors,
        image,
        language: line("language", facts.language, 35)?,
        ..facts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(json: &str) -> Result<NewLink, Refusal> {
        serde_json::from_str::<NewLink>(json).unwrap().check()
    }

    #[test]
    fn checks() {
        let long = format!(r#"{{"url": "https://a.test", "title": "{}"}}"#, "x".repeat(301));
        let many: Vec<String> = (0..21).map(|i| format!("\"t{i}\"")).collect();
        let many = format!(r#"{{"url": "https://a.test", "tags": [{}]}}"#, many.join(","));
        let table = [
            (r"{}", Reason::Missing, "url"),
            (r#"{"reserve": true, "url": "https://a.test"}"#, Reason::InvalidValue, "reserve"),
            (long.as_str(), Reason::OutOfRange, "title"),
            (many.as_str(), Reason::OutOfRange, "tags"),
            (r#"{"url": "x", "title": "a\u0000b"}"#, Reason::InvalidValue, "title"),
            (r#"{"url": "x", "redirect_status": 303}"#, Reason::InvalidValue, "redirect_status"),
            (
                r#"{"url": "x", "not_before": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}"#,
                Reason::InvalidValue,
                "expires_at",
            ),
            (r#"{"url": "x", "channel": "a", "channels": ["b"]}"#, Reason::InvalidValue, "channels"),
            (r#"{"url": "x", "article": {"image": "javascript:1"}}"#, Reason::InvalidUrl, "article.image"),
        ];
        for (json, reason, field) in table {
            let refusal = new(json).unwrap_err();
            assert_eq!((refusal.reason, refusal.field.as_deref()), (reason, Some(field)), "{json}");
        }
        let ok = new(r#"{"url": "x", "tags": ["b", " a ", "b", ""], "title": "  "}"#).unwrap();
        assert_eq!(ok.tags.unwrap(), ["a", "b"]);
        assert_eq!(ok.title, None);
    }

    #[test]
    fn null_is_not_missing() {
        let change: Change = serde_json::from_str(r#"{"version": 1, "note": null}"#).unwrap();
        assert_eq!(change.note, Some(None));
        assert_eq!(change.title, None);
        let both: Change = serde_json::from_str(r#"{"version": 1, "revert_to": 1, "note": null}"#).unwrap();
        assert_eq!(both.check().unwrap_err().reason, Reason::InvalidValue);
    }
}
