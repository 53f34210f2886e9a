//! The desk's form as it was sent, and what it asks for.
//!
//! Guarantees that what was sent can be shown again as it was, and that an address is found in whatever a phone shares.

use url::form_urlencoded::Serializer;

use crate::domain::link::Via;
use crate::links::request::NewLink;
use crate::web::staff::format::Times;

/// The form as it was sent.
#[derive(Clone, Default)]
pub(super) struct Form {
    pub(super) urls: String,
    pub(super) channels: Vec<String>,
    pub(super) code: String,
    pub(super) campaign: String,
    pub(super) not_before: String,
    pub(super) expires_at: String,
    pub(super) note: String,
    pub(super) confidential: bool,
    pub(super) keep_params: bool,
    pub(super) via: String,
    pub(super) title: String,
    pub(super) expired_url: String,
    pub(super) redirect_status: String,
    pub(super) force_new: bool,
    pub(super) reserve: bool,
}

/// What is wrong, and in which field.
pub(super) type Wrong = (&'static str, String);

impl Form {
    pub(super) fn of(pairs: Vec<(String, String)>) -> Form {
        let mut form = Form::default();
        let (mut shared, mut url) = (String::new(), String::new());
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name.as_str() {
                "urls" => form.urls = value,
                "url" => url = value,
                // What a phone shares, with other words around it; some put the address into the title.
                "text" | "title" if shared.is_empty() => address_in(&value).clone_into(&mut shared),
                "channel" if !value.is_empty() => form.channels.push(value),
                "code" => form.code = value,
                "campaign" => form.campaign = value,
                "not_before" => form.not_before = value,
                "expires_at" => form.expires_at = value,
                "note" => form.note = value,
                "confidential" => form.confidential = true,
                "keep_params" => form.keep_params = true,
                "via" => form.via = value,
                // A phone's is what its own page is called.
                "link_title" => form.title = value,
                "expired_url" => form.expired_url = value,
                "redirect_status" => form.redirect_status = value,
                "force_new" => form.force_new = true,
                "reserve" => form.reserve = true,
                _ => {}
            }
        }
        let first = [std::mem::take(&mut form.urls), url, shared].into_iter().find(|text| !text.is_empty());
        Form { urls: first.unwrap_or_default(), ..form }
    }

    pub(super) fn lines(&self) -> Vec<&str> {
        self.urls.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    pub(super) fn via(&self) -> Via {
        if self.via == "bookmarklet" { Via::Bookmarklet } else { Via::Page }
    }

    /// Whether more than an address and channels was said.
    pub(super) fn has_more(&self) -> bool {
        let Form { code, campaign, not_before, expires_at, note, title, .. } = self;
        let texts = [code, campaign, not_before, expires_at, note, title];
        let ticks = [self.confidential, self.keep_params, self.force_new, self.reserve];
        texts.into_iter().chain([&self.expired_url, &self.redirect_status]).any(|text| !text.is_empty())
            || ticks.contains(&true)
    }

    /// The desk's address with what was pasted still in it, as far as an address takes it.
    pub(super) fn address(&self) -> String {
        let [line] = self.lines()[..] else { return "/-/".to_owned() };
        let mut query = Serializer::new(String::new());
        query.append_pair("url", line);
        for channel in &self.channels {
            query.append_pair("channel", channel);
        }
        format!("/-/new?{}", query.finish())
    }

    /// What is asked of the service for one line, or for none.
    pub(super) fn request(&self, url: Option<&str>, times: &Times) -> Result<NewLink, Wrong> {
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        let time = |name: &'static str, value: &str| match value {
            "" => Ok(None),
            value => times.read(value).map(Some).ok_or((name, "This is no time.".to_owned())),
        };
        let expires_at = time("expires_at", &self.expires_at)?;
        if expires_at.is_some_and(|at| at <= times.now) {
            return Err(("expires_at", "This time is past: the link would end before it begins.".into()));
        }
        let redirect_status = match self.redirect_status.as_str() {
            "" => None,
            status => Some(status.parse().map_err(|_| ("redirect_status", "This is no status.".to_owned()))?),
        };
        let several = self.channels.len() > 1;
        Ok(NewLink {
            url: url.map(str::to_owned),
            code: text(&self.code),
            channel: self.channels.first().cloned().filter(|_| !several),
            channels: several.then(|| self.channels.clone()),
            campaign: text(&self.campaign),
            not_before: time("not_before", &self.not_before)?,
            expires_at,
            expired_url: text(&self.expired_url),
            redirect_status,
            title: text(&self.title),
            force_new: self.force_new.then_some(true),
            reserve: self.reserve.then_some(true),
            note: text(&self.note),
            confidential: self.confidential.then_some(true),
            keep_params: self.keep_params.then_some(true),
            ..NewLink::default()
        })
    }
}

/// The first address in a text.
fn address_in(text: &str) -> &str {
    let mut words = text.split_whitespace();
    words.find(|word| word.starts_with("http://") || word.starts_with("https://")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_what_is_sent() {
        let of = |pairs: &[(&str, &str)]| {
            Form::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
                .urls
        };
        let table: [(&[(&str, &str)], &str); 6] = [
            (&[("url", " https://a.example/1 ")], "https://a.example/1"),
            (&[("urls", "https://a.example/1"), ("url", "https://a.example/2")], "https://a.example/1"),
            (&[("text", "Look: https://a.example/1 via App"), ("title", "x")], "https://a.example/1"),
            (&[("title", "https://a.example/1"), ("text", "no address")], "https://a.example/1"),
            (&[("text", "no address")], ""),
            (&[], ""),
        ];
        for (sent, urls) in table {
            assert_eq!(of(sent), urls, "{sent:?}");
        }
    }
}
