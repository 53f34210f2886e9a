//! Changes of a story by its page: withdrawn, put back, moved, and the last change undone.
//!
//! Guarantees that a change is made on the version that its editor saw, and that what was typed is shown again with what is
//! wrong beside it. Making two stories one is the API's.

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use serde_json::{Map, Value};

use super::{Failed, failed_page};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::HistoryEntry;
use crate::links::{ArticleChange, Error as LinkError};
use crate::web::State;
use crate::web::error::{Result, status_of};
use crate::web::session::{Form64, Staff, said};
use crate::web::staff::shell::{see_other, times};

/// The fields of the forms, as the API calls them.
const FIELDS: [&str; 3] = ["message", "replacement_url", "url"];
/// What staff change of a story, and what can be undone.
const CHANGED: [&str; 7] =
    ["title", "section", "authors", "published_at", "withdrawn", "replacement_url", "message"];

/// The forms as they are shown.
#[derive(Clone, Default)]
pub(super) struct Form {
    pub(super) message: String,
    pub(super) replacement_url: String,
    pub(super) url: String,
    /// The field that something is wrong with, or none of them; and what.
    wrong: Option<(&'static str, String)>,
}

impl Form {
    /// As the story is.
    pub(super) fn of(article: &Article) -> Form {
        Form {
            message: article.message.clone().unwrap_or_default(),
            replacement_url: article.replacement_url.clone().unwrap_or_default(),
            url: article.address().to_owned(),
            wrong: None,
        }
    }

    /// What is wrong with a field; with none of them under no name.
    pub(super) fn wrong_in(&self, name: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(its, _)| *its == name).map(|(_, why)| why.as_str())
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }
}

/// Changes a story by one of its forms.
pub(in crate::web::staff) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(id): Path<String>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    actor.require(Role::Editor)?;
    let now = times(&state).now;
    let (article, _) = state.links.article_for(&ArticleId(id.into()), &actor, now).await?;
    let change = wanted(&state, &article, &pairs).await?;
    match state.links.change_article(&article.id, change, &actor, now).await {
        Ok(article) => Ok(see_other(&format!("/-/articles/{}", article.id.0))),
        Err(LinkError::Refused(refusal)) => refused(&state, &actor, &article, &pairs, refusal).await,
        Err(error) => Err(error.into()),
    }
}

/// What a form asks for.
async fn wanted(state: &State, article: &Article, pairs: &[(String, String)]) -> Result<ArticleChange> {
    let text = |name: &str| said(pairs, name).filter(|text| !text.is_empty()).map(str::to_owned);
    let version = text("version").and_then(|version| version.parse().ok());
    let change = match text("do").as_deref() {
        Some("withdraw") => ArticleChange {
            withdrawn: Some(Some(true)),
            message: Some(text("message")),
            replacement_url: Some(text("replacement_url")),
            ..ArticleChange::default()
        },
        Some("restore") => ArticleChange { withdrawn: Some(Some(false)), ..ArticleChange::default() },
        Some("move") => ArticleChange { url: Some(text("url")), ..ArticleChange::default() },
        _ => {
            let last = state.links.article_history(&article.id, None, 1).await?;
            let asked = text("undo").and_then(|version| version.parse::<u64>().ok());
            let last = last.first().filter(|entry| Some(entry.version) == asked);
            last.and_then(undone).ok_or_else(|| {
                Refusal::new(
                    Reason::Conflict,
                    "only the last change of a story can be undone, if staff made it",
                )
            })?
        }
    };
    Ok(ArticleChange { version, ..change })
}

/// The change that takes a change back; None if it is not one that staff make.
pub(super) fn undone(entry: &HistoryEntry) -> Option<ArticleChange> {
    if !["changed", "moved"].contains(&entry.action.as_str()) {
        return None;
    }
    let was = |name: &str| Some(entry.changes.get(name)?.get("from").cloned().unwrap_or(Value::Null));
    let mut fields = Map::new();
    for name in entry.changes.keys() {
        match name.as_str() {
            // How its address was spelt says both.
            "url" | "address" => {
                let spelt = was("address").filter(|text| !text.is_null());
                fields.insert("url".into(), spelt.or_else(|| was("url"))?);
            }
            name if CHANGED.contains(&name) => {
                fields.insert(name.into(), was(name)?);
            }
            _ => return None,
        }
    }
    if fields.is_empty() { None } else { serde_json::from_value(Value::Object(fields)).ok() }
}

async fn refused(
    state: &State,
    actor: &Actor,
    article: &Article,
    pairs: &[(String, String)],
    refusal: Refusal,
) -> Result<Response> {
    // As it is now: that is what the next try is made on.
    let now = times(state).now;
    let (is, _) = state.links.article_for(&article.id, actor, now).await?;
    let is = Form::of(&is);
    let field = FIELDS.into_iter().find(|name| refusal.field.as_deref() == Some(*name)).unwrap_or_default();
    let why = match refusal.reason {
        Reason::Stale => {
            "Somebody changed this story meanwhile; its history says what. Nothing of this is saved: look \
                          at it again, and change it if you still want to."
                .to_owned()
        }
        _ => refusal.detail.to_string(),
    };
    let sent = |name: &str, is: String| said(pairs, name).map_or(is, str::to_owned);
    let form = Form {
        message: sent("message", is.message),
        replacement_url: sent("replacement_url", is.replacement_url),
        url: sent("url", is.url),
        wrong: Some((field, why)),
    };
    let failed = Failed { form: Some(form), ..Failed::default() };
    failed_page(state, actor, &article.id, status_of(refusal.reason), failed).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(action: &str, changes: Value) -> HistoryEntry {
        let Value::Object(changes) = changes else { panic!("{changes}") };
        let at = jiff::Timestamp::UNIX_EPOCH;
        HistoryEntry { version: 2, at, by: "user:Ana".into(), action: action.into(), changes }
    }

    #[test]
    fn what_staff_changed_can_be_undone() {
        let withdrawn =
            json!({ "withdrawn": { "from": false, "to": true }, "message": { "from": null, "to": "m" } });
        let change = undone(&entry("changed", withdrawn)).unwrap();
        assert_eq!((change.withdrawn, change.message, change.url), (Some(Some(false)), Some(None), None));
        let moved = json!({ "url": { "from": "https://a.example/1", "to": "https://a.example/2" },
            "address": { "from": "https://www.a.example/1", "to": "https://a.example/2" } });
        let change = undone(&entry("moved", moved)).unwrap();
        assert_eq!(change.url, Some(Some("https://www.a.example/1".into())));
    }

    #[test]
    fn what_others_did_cannot_be_undone() {
        let title = json!({ "title": { "from": "a", "to": "b" } });
        assert!(undone(&entry("changed", title.clone())).is_some());
        assert_eq!(undone(&entry("read", title.clone())), None);
        assert_eq!(undone(&entry("created", title)), None);
        let others =
            json!({ "title": { "from": "a", "to": "b" }, "merged_into": { "from": null, "to": "x" } });
        assert_eq!(undone(&entry("changed", others)), None);
        assert_eq!(undone(&entry("changed", json!({}))), None);
    }
}
