//! What was redacted, in answers that were given before it was.
//!
//! Guarantees that an answer that is given again tells of a link or a story no more than its history does: what was
//! redacted since is blank in it, wherever in the answer it is. All else of it stays as it was given.

use std::collections::{BTreeSet, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use super::State;
use super::error::Error;
use crate::domain::article::ArticleId;
use crate::domain::code::fold;
use crate::domain::link::HistoryEntry;
use crate::store::links::ArticleKey;

/// Links that are asked for at once.
const LINKS: usize = 10_000;
/// Stories that are asked for at once.
const STORIES: usize = 64;

/// Codes of links, and ids of stories.
#[derive(Debug, Default)]
struct Named {
    codes: BTreeSet<String>,
    stories: BTreeSet<String>,
}

/// An answer without what was redacted since.
///
/// # Errors
/// The store's: then it is not known what may be told.
pub async fn blank(state: &State, body: Vec<u8>) -> Result<Vec<u8>, Error> {
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return Ok(body) };
    let mut named = Named::default();
    collect(&answer, &mut named);
    let (links, store) = (&state.links, state.links.store());
    let mut gone = HashSet::new();
    let codes: Vec<String> = named.codes.iter().map(|code| fold(code).into_owned()).collect();
    for codes in codes.chunks(LINKS) {
        let found = links.within(store.find_many(codes)).await?.into_iter();
        let redacted =
            found.filter(|f| f.link.is_redacted() || f.article.as_ref().is_some_and(|a| a.is_redacted()));
        gone.extend(redacted.map(|found| found.link.code.to_string()));
    }
    let stories: Vec<_> = stream::iter(named.stories)
        .map(|id| links.within(store.article(ArticleKey::Id(ArticleId(id.into())))))
        .buffer_unordered(STORIES)
        .try_collect()
        .await?;
    let stories = stories.into_iter().flatten().filter(|story| story.is_redacted());
    let stories: HashSet<String> = stories.map(|story| story.id.0.to_string()).collect();
    if gone.is_empty() && stories.is_empty() {
        return Ok(body);
    }
    clear(&mut answer, &gone, &stories, false);
    Ok(answer.to_string().into_bytes())
}

fn code_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("short_url").and(object.get("code"))?.as_str()
}

fn story_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("cms_id").and(object.get("id"))?.as_str()
}

fn collect(value: &Value, named: &mut Named) {
    match value {
        Value::Object(object) => {
            named.codes.extend(code_of(object).map(str::to_owned));
            named.stories.extend(story_of(object).map(str::to_owned));
            object.values().for_each(|value| collect(value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
        _ => {}
    }
}

/// `inside`: what is around it is gone.
fn clear(value: &mut Value, links: &HashSet<String>, stories: &HashSet<String>, inside: bool) {
    match value {
        Value::Object(object) => {
            let gone = inside
                || code_of(object).is_some_and(|code| links.contains(code))
                || story_of(object).is_some_and(|id| stories.contains(id));
            for (field, value) in object {
                if gone && (HistoryEntry::READABLE.contains(&field.as_str()) || field == "broken") {
                    *value = Value::Null;
                }
                clear(value, links, stories, gone);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| clear(value, links, stories, inside)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_gone_is_blank_wherever_it_is() {
        let link = |code: &str, story: &str| {
            json!({ "code": code, "short_url": "s", "target": "secret", "tags": ["a"], "broken": { "proposal": "secret" },
                "article": { "id": story, "cms_id": "secret", "title": "secret", "section": "World" } })
        };
        let mut answer =
            json!({ "results": [link("a", "1"), link("b", "2"), { "error": { "link": link("c", "3") } }] });
        let mut named = Named::default();
        collect(&answer, &mut named);
        assert_eq!(named.codes.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(named.stories.len(), 3);
        let whole = answer.clone();
        clear(&mut answer, &HashSet::new(), &HashSet::new(), false);
        assert_eq!(answer, whole);
        clear(&mut answer, &HashSet::from(["a".to_owned()]), &HashSet::from(["3".to_owned()]), false);
        let (first, last) =
            (answer["results"][0].to_string(), answer["results"][2]["error"]["link"]["article"].to_string());
        assert!(!first.contains("secret") && first.contains("World") && !last.contains("secret"), "{answer}");
        assert_eq!(answer["results"][1], whole["results"][1]);
    }
}
