//! A link's form: as the link is, or as it was sent, with what is wrong beside its fields.
//!
//! Guarantees that nothing which was typed is lost by a refusal, and that whoever changes what others changed meanwhile sees
//! what they made of it. Knows nothing of how a change is made.

use std::collections::BTreeMap;

use crate::domain::access::Actor;
use crate::domain::error::Refusal;
use crate::domain::link::{Found, HistoryEntry, Link};
use crate::links::editable::Editable;
use crate::links::request::Change;
use crate::web::session::said;
use crate::web::staff::format::Times;

/// Its fields, as the API calls them.
const FIELDS: [&str; 12] = [
    "url",
    "title",
    "tags",
    "not_before",
    "expires_at",
    "expired_url",
    "campaign",
    "note",
    "message",
    "redirect_status",
    "confidential",
    "disabled",
];

/// What it shows.
#[derive(Clone, Default)]
pub(super) struct Form {
    values: BTreeMap<&'static str, String>,
    wrong: BTreeMap<&'static str, String>,
}

/// What is wrong, and in which field.
pub(super) type Wrong = (&'static str, String);

impl Form {
    /// As the link is; of what is secret to the viewer nothing.
    pub(super) fn of(link: &Link, viewer: &Actor, times: &Times) -> Form {
        let hidden = link.is_hidden_from(viewer, times.now);
        let text = |value: &Option<String>| value.clone().filter(|_| !hidden).unwrap_or_default();
        let values = [
            ("url", text(&link.target)),
            ("title", text(&link.title)),
            ("tags", link.tags.join(", ")),
            ("not_before", times.field(link.not_before)),
            ("expires_at", times.field(link.expires_at)),
            ("expired_url", text(&link.expired_url)),
            ("campaign", link.campaign.clone().unwrap_or_default()),
            ("note", text(&link.note)),
            ("message", link.message.clone().unwrap_or_default()),
            ("redirect_status", link.redirect_status.to_string()),
            ("confidential", link.confidential.to_string()),
            ("disabled", link.disabled.to_string()),
        ];
        Form { values: values.into_iter().collect(), wrong: BTreeMap::new() }
    }

    /// The same with what was sent.
    pub(super) fn with(&self, pairs: &[(String, String)]) -> Form {
        let mut form = self.clone();
        for (name, value) in &mut form.values {
            if let Some(sent) = said(pairs, name) {
                sent.clone_into(value);
            }
        }
        form
    }

    /// What is shown in a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// What is wrong with it.
    pub(super) fn wrong_in(&self, name: &str) -> Option<&str> {
        self.wrong.get(name).map(String::as_str)
    }

    /// Says what is wrong in a field.
    pub(super) fn mark(&mut self, (name, why): Wrong) {
        self.wrong.insert(name, why);
    }

    /// Says what is refused beside its field; gives it back if it has none here.
    pub(super) fn refuse(&mut self, refusal: &Refusal) -> Option<String> {
        let field = refusal.field.as_deref().unwrap_or_default();
        let field = field.split('[').next().unwrap_or_default();
        match FIELDS.into_iter().find(|name| *name == field) {
            Some(name) => {
                self.mark((name, refusal.detail.to_string()));
                None
            }
            None => Some(refusal.detail.to_string()),
        }
    }

    /// What was typed into a form of `before`, on what the link has become since: fields that were left alone are as they
    /// are `now`, and beside those that both changed stands what the others made of them.
    pub(super) fn onto(mut self, before: &Form, now: &Form) -> Form {
        for (name, typed) in &mut self.values {
            let (was, is) = (before.value(name), now.value(name));
            if typed == was {
                is.clone_into(typed);
            } else if was != is && typed != is {
                let is = if is.is_empty() { "nothing" } else { is };
                self.wrong.insert(name, format!("Meanwhile it was changed to: {is}"));
            }
        }
        self
    }

    /// What it asks for: only what it says otherwise than the link is.
    pub(super) fn change(&self, is: &Form, times: &Times) -> Result<Change, Wrong> {
        let said = |name: &str| Some(self.value(name)).filter(|said| *said != is.value(name));
        let text = |name: &str| said(name).map(|said| Some(said.to_owned()).filter(|said| !said.is_empty()));
        let time = |name: &'static str| match text(name) {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(said)) => {
                times.read(&said).map(|at| Some(Some(at))).ok_or((name, "This is no time.".to_owned()))
            }
        };
        let tags = text("tags")
            .map(|tags| tags.map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect()));
        let status = said("redirect_status").map(|status| status.parse().map(Some));
        let status = status.transpose().map_err(|_| ("redirect_status", "This is no status.".to_owned()))?;
        let switch = |name: &str| said(name).map(|said| Some(said == "true"));
        Ok(Change {
            url: text("url"),
            title: text("title"),
            tags,
            not_before: time("not_before")?,
            expires_at: time("expires_at")?,
            expired_url: text("expired_url"),
            campaign: text("campaign"),
            note: text("note"),
            message: text("message"),
            redirect_status: status,
            confidential: switch("confidential"),
            disabled: switch("disabled"),
            ..Change::default()
        })
    }
}

/// The link as it was at this version, if its history goes back so far; `history` has the newest first.
pub(super) fn as_it_was(found: &Found, history: &[HistoryEntry], version: u64) -> Option<Link> {
    let later: Vec<HistoryEntry> = history.iter().filter(|entry| entry.version > version).cloned().collect();
    let editable = Editable::of(&found.link).taken_back(&later)?;
    Some(editable.put_into(&found.link, found.link.updated_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&'static str, &str)]) -> Form {
        let values = pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Form { values, ..Form::default() }
    }

    #[test]
    fn what_others_changed_stays_and_is_said_where_both_did() {
        let before = form(&[("note", "a"), ("title", "a"), ("campaign", "a"), ("message", "a")]);
        let now = form(&[("note", "b"), ("title", "b"), ("campaign", "a"), ("message", "c")]);
        let typed = form(&[("note", "c"), ("title", "a"), ("campaign", "c"), ("message", "c")]);
        let form = typed.onto(&before, &now);
        let shown = ["note", "title", "campaign", "message"].map(|name| form.value(name));
        assert_eq!(shown, ["c", "b", "c", "c"]);
        assert_eq!(form.wrong_in("note"), Some("Meanwhile it was changed to: b"));
        assert_eq!(["title", "campaign", "message"].map(|name| form.wrong_in(name)), [None; 3]);
    }

    #[test]
    fn a_refusal_stands_beside_its_field() {
        use crate::domain::error::Reason;
        let mut form = Form::default();
        let of = |field: &'static str| Refusal::field(Reason::InvalidValue, field, "no");
        assert_eq!(form.refuse(&of("tags[3]")), None);
        assert_eq!(form.wrong_in("tags"), Some("no"));
        assert_eq!(form.refuse(&of("version")), Some("no".into()));
    }
}
