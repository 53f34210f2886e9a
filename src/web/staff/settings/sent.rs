//! A form as it was sent, and what is wrong with it: so that it can be shown again as it was.

use crate::domain::error::{Reason, Refusal};
use crate::web::session::said;

/// A form of several on a page. `form` says which of them, `do` what is asked for.
#[derive(Default)]
pub(super) struct Sent {
    pairs: Vec<(String, String)>,
    wrong: Option<(String, String)>,
}

impl Sent {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Sent {
        Sent { pairs, wrong: None }
    }

    /// The same with what is wrong with it.
    pub(super) fn refused(self, refusal: &Refusal) -> Sent {
        let wrong = (refusal.field.as_deref().unwrap_or_default().to_owned(), refusal.detail.to_string());
        Sent { wrong: Some(wrong), ..self }
    }

    /// A field's text; "" for none.
    pub(super) fn get(&self, name: &str) -> &str {
        said(&self.pairs, name).unwrap_or_default()
    }

    /// A field's text, if there is any.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name).to_owned()).filter(|text| !text.is_empty())
    }

    /// All values of a field.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.pairs.iter().filter(|(its, _)| its == name).map(|(_, value)| value.clone()).collect()
    }

    /// A field that is a whole number.
    pub(super) fn number(&self, name: &str) -> Result<u64, Refusal> {
        let wrong = || Refusal::field(Reason::InvalidValue, name.to_owned(), "a whole number is expected");
        self.get(name).parse().map_err(|_| wrong())
    }

    /// What a field of that form shows: what was sent if it was refused, else what is there.
    pub(super) fn value<'a>(&'a self, form: &str, name: &str, there: &'a str) -> &'a str {
        if self.wrong.is_some() && self.get("form") == form { self.get(name) } else { there }
    }

    /// What is wrong with a field of that form.
    pub(super) fn wrong(&self, form: &str, name: &str) -> Option<&str> {
        let (field, text) = self.wrong.as_ref().filter(|_| self.get("form") == form)?;
        // A list's element is named with its place.
        let its = field.strip_prefix(name)?;
        (its.is_empty() || its.starts_with(['[', '.'])).then_some(text.as_str())
    }

    /// What is wrong at all.
    pub(super) fn problem(&self) -> Option<&str> {
        self.wrong.as_ref().map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_shown_again_in_its_own_form() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sent = Sent::new(vec![pair("form", "a"), pair("name", " x "), pair("on", "1"), pair("on", "2")]);
        assert_eq!((sent.get("name"), sent.all("on").len(), sent.some("none")), ("x", 2, None));
        assert_eq!(sent.value("a", "name", "there"), "there");
        assert!(sent.number("name").is_err_and(|refusal| refusal.field.as_deref() == Some("name")));
        let sent = sent.refused(&Refusal::field(Reason::InvalidValue, "name[1]", "no"));
        assert_eq!((sent.value("a", "name", "there"), sent.value("b", "name", "there")), ("x", "there"));
        assert_eq!(
            (sent.wrong("a", "name"), sent.wrong("a", "nam"), sent.wrong("b", "name")),
            (Some("no"), None, None)
        );
        assert_eq!(sent.problem(), Some("no"));
    }
}
