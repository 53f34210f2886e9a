//! A story: what links are about.
//!
//! Known within its site by its normalised address and, if given, its CMS id; other addresses are aliases.

use jiff::Timestamp;

/// An article's own id: opaque, ours, `a` and 12 code characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct ArticleId(pub Box<str>);

/// What the CMS or staff say of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArticleFacts {
    /// Headline, at most 300 characters.
    pub title: Option<String>,
    /// Section ("World").
    pub section: Option<String>,
    /// Names of its authors, in order.
    pub authors: Vec<String>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Address of its picture.
    pub image: Option<String>,
    /// BCP 47 language tag.
    pub language: Option<String>,
}

impl ArticleFacts {
    /// Takes over what is said and not known yet; what is known stays. True if that was anything.
    pub fn fill(&mut self, said: &ArticleFacts) -> bool {
        let mut filled = fill(&mut self.title, said.title.as_ref());
        filled |= fill(&mut self.section, said.section.as_ref());
        filled |= fill(&mut self.image, said.image.as_ref());
        filled |= fill(&mut self.language, said.language.as_ref());
        filled |= fill(&mut self.published_at, said.published_at.as_ref());
        if self.authors.is_empty() && !said.authors.is_empty() {
            self.authors.clone_from(&said.authors);
            filled = true;
        }
        filled
    }
}

/// Takes over what is said if nothing is known. True if that was anything.
pub fn fill<T: Clone>(known: &mut Option<T>, said: Option<&T>) -> bool {
    let news = known.is_none() && said.is_some();
    if news {
        *known = said.cloned();
    }
    news
}

/// A story as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Ours.
    pub id: ArticleId,
    /// The CMS's, if it was given.
    pub cms_id: Option<String>,
    /// Its normalised address.
    pub url: String,
    /// The host it lives on.
    pub site: String,
    /// What is known of it.
    pub facts: ArticleFacts,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// 1 at first, each change adds 1.
    pub version: u64,
}

/// Longest CMS id, in characters.
pub const MAX_CMS_ID: usize = 200;
/// Most aliases of one article besides its own address and CMS id. Others are not kept: a request that knows the story by
/// one of them and by something else finds it by that.
pub const MAX_ALIASES: usize = 200;
/// Most authors of one article.
pub const MAX_AUTHORS: usize = 20;
/// Longest section or author name, in characters.
pub const MAX_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_stays() {
        let text = |t: &str| Some(t.to_owned());
        let said = ArticleFacts {
            title: text("said"),
            section: text("World"),
            authors: vec!["Ann".into()],
            published_at: Some(Timestamp::UNIX_EPOCH),
            image: text("i"),
            language: text("en"),
        };
        let mut known = ArticleFacts { title: text("known"), ..ArticleFacts::default() };
        assert!(known.fill(&said));
        assert_eq!(known, ArticleFacts { title: text("known"), ..said.clone() });
        assert!(!known.fill(&said), "nothing is new");
        assert!(!known.fill(&ArticleFacts::default()));
    }
}
