//! A story: what links are about.
//!
//! Known within its site by its normalised address and, if given, its CMS id; other addresses are aliases. Guarantees
//! that what a page says never overwrites what the CMS or staff said. Knows nothing of how it is kept.

use jiff::Timestamp;

pub use super::facts::{ArticleFacts, Fact, Said};

/// An article's own id: opaque, ours, `a` and 12 code characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct ArticleId(pub Box<str>);

/// Takes over what is said if nothing is known. True if that was anything.
pub fn fill<T: Clone>(known: &mut Option<T>, said: Option<&T>) -> bool {
    let news = known.is_none() && said.is_some();
    if news {
        *known = said.cloned();
    }
    news
}

/// What came of the last look at a story's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageOutcome {
    /// Nobody has looked.
    #[default]
    Never,
    /// It was read.
    Read,
    /// It is there, and not for us (a wall, a login, too many requests), or it was too slow.
    NotReadable,
    /// It is there no more.
    Gone,
    /// Nothing that answers, or nothing that can be read.
    Broken,
}

impl PageOutcome {
    const ALL: [PageOutcome; 5] = [
        PageOutcome::Never,
        PageOutcome::Read,
        PageOutcome::NotReadable,
        PageOutcome::Gone,
        PageOutcome::Broken,
    ];

    /// The number that is kept.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            PageOutcome::Never => 0,
            PageOutcome::Read => 1,
            PageOutcome::NotReadable => 2,
            PageOutcome::Gone => 3,
            PageOutcome::Broken => 4,
        }
    }

    /// Reads that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<PageOutcome> {
        PageOutcome::ALL.into_iter().find(|outcome| outcome.number() == number)
    }
}

/// When a story's page was last looked at, what came of it, and when somebody is to look again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageState {
    /// What came of it.
    pub outcome: PageOutcome,
    /// When that was.
    pub at: Option<Timestamp>,
    /// How often somebody has looked in vain since it was last read.
    pub failures: u32,
    /// When to look again; None if there is no need.
    pub due: Option<Timestamp>,
}

impl PageState {
    /// The same with its times made to what `kept` gives.
    #[must_use]
    pub fn at_times(self, kept: impl Fn(Timestamp) -> Timestamp) -> PageState {
        PageState { at: self.at.map(&kept), due: self.due.map(&kept), ..self }
    }
}

/// What staff noted of a story, at a time of it: "push".
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// When that was.
    pub at: Timestamp,
    /// At most 200 characters.
    pub text: String,
    /// Who noted it.
    pub by: String,
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
    /// The spelling of it that readers are led to; None if that is `url` itself.
    pub address: Option<String>,
    /// The host it lives on.
    pub site: String,
    /// What is known of it.
    pub facts: ArticleFacts,
    /// Which of it the CMS or staff said.
    pub said: Said,
    /// True if it was taken back: its links lead to `replacement_url`, or show a notice.
    pub withdrawn: bool,
    /// Where its links lead while it is withdrawn.
    pub replacement_url: Option<String>,
    /// What readers are told while it is withdrawn.
    pub message: Option<String>,
    /// The older story that this one turned out to be: whoever asks for this one by a name gets that one.
    pub merged_into: Option<ArticleId>,
    /// What came of reading its page.
    pub read: PageState,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// 1 at first, each change adds 1.
    pub version: u64,
    /// What staff noted of it, by time.
    pub notes: Vec<Note>,
}

/// What the address of a redacted story begins with; then comes its id. No web address begins so.
pub const REDACTED: &str = "redacted:";

impl Article {
    /// A story of which only its names are known.
    #[must_use]
    pub fn new(id: ArticleId, url: String, site: String, at: Timestamp) -> Article {
        Article {
            id,
            cms_id: None,
            url,
            address: None,
            site,
            facts: ArticleFacts::default(),
            said: Said::default(),
            withdrawn: false,
            replacement_url: None,
            message: None,
            merged_into: None,
            read: PageState::default(),
            created_at: at,
            updated_at: at,
            version: 1,
            notes: vec![],
        }
    }

    /// Where links that follow it lead.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_deref().unwrap_or(&self.url)
    }

    /// Gives it another address, in the spelling that readers are led to, if that is known.
    pub fn move_to(&mut self, url: String, address: Option<String>) {
        self.address = address.filter(|address| *address != url);
        self.url = url;
    }

    /// The same with its times made to what `kept` gives.
    #[must_use]
    pub fn at_times(self, kept: impl Fn(Timestamp) -> Timestamp) -> Article {
        let notes = self.notes.into_iter().map(|note| Note { at: kept(note.at), ..note });
        Article {
            notes: notes.collect(),
            facts: self.facts.at_times(&kept),
            read: self.read.at_times(&kept),
            created_at: kept(self.created_at),
            updated_at: kept(self.updated_at),
            ..self
        }
    }

    /// Takes over these notes too, by time, as far as there is room for them.
    pub fn note(&mut self, notes: &[Note]) {
        for note in notes {
            if !self.notes.contains(note) && self.notes.len() < MAX_NOTES {
                self.notes.push(note.clone());
            }
        }
        self.notes.sort_by(|a, b| (a.at, &a.text).cmp(&(b.at, &b.text)));
    }

    /// Takes over what the CMS or staff say and nobody said before; what a page said gives way. True if that was
    /// anything.
    pub fn fill(&mut self, said: &ArticleFacts) -> bool {
        let mut news = false;
        for fact in Fact::ALL {
            if said.has(fact) && !self.said.has(fact) {
                self.facts.take(fact, said);
                self.said.add(fact);
                news = true;
            }
        }
        news
    }

    /// Takes over what its page says, but for what the CMS or staff said. What the page does not say stays. True if
    /// that was anything.
    pub fn hear(&mut self, page: &ArticleFacts) -> bool {
        let mut news = false;
        for fact in Fact::ALL {
            if page.has(fact) && !self.said.has(fact) {
                news |= self.facts.take(fact, page);
            }
        }
        news
    }

    /// True if this one may be merged into `other`: only an older story takes another in, so that nobody who follows
    /// merged stories goes round in a circle.
    #[must_use]
    pub fn yields_to(&self, other: &Article) -> bool {
        (other.created_at, &other.id) < (self.created_at, &self.id)
    }

    /// True if nothing of it must be read any more.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.url.starts_with(REDACTED)
    }

    /// The story without anything that must not be read any more. What numbers are counted under stays: id, site,
    /// section, authors, and when it was published.
    #[must_use]
    pub fn redacted(&self, at: Timestamp) -> Article {
        let facts = ArticleFacts { title: None, description: None, image: None, ..self.facts.clone() };
        // Its page must not fill anything in again.
        let said = Fact::ALL.into_iter().collect();
        Article {
            cms_id: None,
            url: format!("{REDACTED}{}", self.id.0),
            address: None,
            facts,
            said,
            replacement_url: None,
            message: None,
            notes: vec![],
            read: PageState::default(),
            updated_at: at,
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }
}

/// Longest CMS id, in characters.
pub const MAX_CMS_ID: usize = 200;
/// Most aliases of one article besides its own address and CMS id. Others are not kept: a request that knows the story by
/// one of them and by something else finds it by that.
pub const MAX_ALIASES: usize = 200;
/// Most notes of one article.
pub const MAX_NOTES: usize = 50;
/// Longest note, in characters.
pub const MAX_NOTED: usize = 200;
/// Most authors of one article.
pub const MAX_AUTHORS: usize = 20;
/// Longest section or author name, in characters.
pub const MAX_NAME: usize = 100;

/// Merged stories that are followed, one after the other.
pub const MAX_MERGED: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::tests::{all, text};

    fn story() -> Article {
        Article::new(
            ArticleId("a1".into()),
            "https://a.example/".into(),
            "a.example".into(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn what_was_said_stays() {
        let mut story = story();
        assert!(story.fill(&ArticleFacts { title: text("known"), ..ArticleFacts::default() }));
        assert!(story.fill(&all()));
        assert_eq!(story.facts, ArticleFacts { title: text("known"), ..all() });
        assert!(!story.fill(&all()), "nothing is new");
        assert!(!story.fill(&ArticleFacts::default()));
        assert_eq!(story.said, Said::known(&all()));
    }

    #[test]
    fn a_page_overwrites_only_what_pages_said() {
        let mut story = story();
        assert!(story.hear(&all()));
        assert_eq!((&story.facts, story.said), (&all(), Said::default()));
        let again = ArticleFacts { title: text("newer"), ..ArticleFacts::default() };
        assert!(story.hear(&again) && !story.hear(&again));
        assert_eq!(story.facts, ArticleFacts { title: text("newer"), ..all() });
        assert!(story.fill(&ArticleFacts { title: text("desk"), ..ArticleFacts::default() }));
        assert!(!story.hear(&again));
        assert_eq!(story.facts.title.as_deref(), Some("desk"));
        story.said.remove(Fact::Title);
        assert!(story.hear(&again));
    }

    #[test]
    fn outcomes_are_kept_as_numbers() {
        for outcome in PageOutcome::ALL {
            assert_eq!(PageOutcome::from_number(outcome.number()), Some(outcome));
        }
        assert_eq!(PageOutcome::from_number(5), None);
    }

    #[test]
    fn notes_are_bounded_in_order_and_each_there_once() {
        let mut story = story();
        let note = |n: i64| Note { at: Timestamp::from_second(n).unwrap(), text: "n".into(), by: "a".into() };
        story.note(&[note(2), note(1), note(2)]);
        assert_eq!(story.notes, [note(1), note(2)]);
        story.note(&(0..100).map(note).collect::<Vec<_>>());
        assert_eq!(story.notes.len(), MAX_NOTES);
    }

    #[test]
    fn only_the_older_takes_in() {
        let old = story();
        let young = Article { id: ArticleId("a2".into()), ..story() };
        assert!(young.yields_to(&old) && !old.yields_to(&young) && !old.yields_to(&old));
        let older = Article { created_at: Timestamp::from_second(-1).unwrap(), ..young };
        assert!(old.yields_to(&older));
    }

    #[test]
    fn nothing_readable_is_left_of_a_redacted_story() {
        let mut full = story();
        full.facts = all();
        (full.cms_id, full.message, full.replacement_url) = (text("4711"), text("m"), text("r"));
        full.address = text("https://www.a.example/");
        full.note(&[Note { at: Timestamp::UNIX_EPOCH, text: "about".into(), by: "user:Ana".into() }]);
        let left = full.redacted(Timestamp::UNIX_EPOCH);
        assert!(left.is_redacted() && !full.is_redacted());
        assert_eq!((left.url.as_str(), left.version), ("redacted:a1", 2));
        assert_eq!((left.facts.section.as_deref(), left.facts.authors.len()), (Some("World"), 1));
        let said = format!("{left:?}");
        assert!(
            !["said", "about", "a.example/", "4711"].iter().any(|text| said.contains(&format!("\"{text}")))
        );
        let mut again = left.clone();
        assert!(!again.hear(&all()));
    }
}
