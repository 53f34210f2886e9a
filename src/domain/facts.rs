//! Facts of a story, and who said them.
//!
//! Guarantees that what is kept of who said what means the same for ever. Knows neither stories nor pages.

use jiff::Timestamp;

/// What is known of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArticleFacts {
    /// Headline, at most 300 characters.
    pub title: Option<String>,
    /// What it is about, in a sentence or two. No caller of the API says it: it is the page's, or staff's.
    #[serde(skip_deserializing)]
    pub description: Option<String>,
    /// Section ("World").
    pub section: Option<String>,
    /// Names of its authors, in order.
    pub authors: Vec<String>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When the newsroom last changed it. No caller of the API says it.
    #[serde(skip_deserializing)]
    pub modified_at: Option<Timestamp>,
    /// Address of its picture.
    pub image: Option<String>,
    /// BCP 47 language tag.
    pub language: Option<String>,
}

impl ArticleFacts {
    /// True if this fact is known.
    #[must_use]
    pub fn has(&self, fact: Fact) -> bool {
        match fact {
            Fact::Title => self.title.is_some(),
            Fact::Description => self.description.is_some(),
            Fact::Section => self.section.is_some(),
            Fact::Authors => !self.authors.is_empty(),
            Fact::PublishedAt => self.published_at.is_some(),
            Fact::ModifiedAt => self.modified_at.is_some(),
            Fact::Image => self.image.is_some(),
            Fact::Language => self.language.is_some(),
        }
    }

    /// Takes over one fact. True if it was another.
    pub fn take(&mut self, fact: Fact, from: &ArticleFacts) -> bool {
        match fact {
            Fact::Title => take(&mut self.title, &from.title),
            Fact::Description => take(&mut self.description, &from.description),
            Fact::Section => take(&mut self.section, &from.section),
            Fact::Authors => take(&mut self.authors, &from.authors),
            Fact::PublishedAt => take(&mut self.published_at, &from.published_at),
            Fact::ModifiedAt => take(&mut self.modified_at, &from.modified_at),
            Fact::Image => take(&mut self.image, &from.image),
            Fact::Language => take(&mut self.language, &from.language),
        }
    }

    /// The same with its times made to what `kept` gives.
    #[must_use]
    pub fn at_times(self, kept: impl Fn(Timestamp) -> Timestamp) -> ArticleFacts {
        ArticleFacts {
            published_at: self.published_at.map(&kept),
            modified_at: self.modified_at.map(&kept),
            ..self
        }
    }
}

fn take<T: Clone + PartialEq>(known: &mut T, said: &T) -> bool {
    let news = known != said;
    if news {
        known.clone_from(said);
    }
    news
}

/// One of the facts of a story that its page says as well as the CMS or staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Its headline.
    Title,
    /// What it is about.
    Description,
    /// Its section.
    Section,
    /// Its authors.
    Authors,
    /// When it was published.
    PublishedAt,
    /// When it was last changed.
    ModifiedAt,
    /// Its picture.
    Image,
    /// Its language.
    Language,
}

impl Fact {
    /// All, in the order of their bits, which are kept: new ones come at the end.
    pub const ALL: [Fact; 8] = [
        Fact::Title,
        Fact::Description,
        Fact::Section,
        Fact::Authors,
        Fact::PublishedAt,
        Fact::ModifiedAt,
        Fact::Image,
        Fact::Language,
    ];

    /// Its name in exports: that of the field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fact::Title => "title",
            Fact::Description => "description",
            Fact::Section => "section",
            Fact::Authors => "authors",
            Fact::PublishedAt => "published_at",
            Fact::ModifiedAt => "modified_at",
            Fact::Image => "image",
            Fact::Language => "language",
        }
    }

    /// Reads that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Fact> {
        Fact::ALL.into_iter().find(|fact| fact.as_str() == name)
    }

    fn bit(self) -> u16 {
        match self {
            Fact::Title => 1,
            Fact::Description => 1 << 1,
            Fact::Section => 1 << 2,
            Fact::Authors => 1 << 3,
            Fact::PublishedAt => 1 << 4,
            Fact::ModifiedAt => 1 << 5,
            Fact::Image => 1 << 6,
            Fact::Language => 1 << 7,
        }
    }
}

/// Which facts the CMS or staff said. What a page says never overwrites these; of all others it is the source.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Said(u16);

impl Said {
    /// Those that are known: of a story that was kept before anybody told the two apart.
    #[must_use]
    pub fn known(facts: &ArticleFacts) -> Said {
        Fact::ALL.into_iter().filter(|fact| facts.has(*fact)).collect()
    }

    /// True if this one was said.
    #[must_use]
    pub fn has(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }

    /// It was said.
    pub fn add(&mut self, fact: Fact) {
        self.0 |= fact.bit();
    }

    /// It is left to the page from now on.
    pub fn remove(&mut self, fact: Fact) {
        self.0 &= !fact.bit();
    }

    /// Each of them.
    pub fn facts(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |fact| self.has(*fact))
    }

    /// As a number.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// From that number; bits that mean nothing are left out.
    #[must_use]
    pub fn from_bits(bits: u16) -> Said {
        Fact::ALL.into_iter().filter(|fact| bits & fact.bit() != 0).collect()
    }
}

impl FromIterator<Fact> for Said {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Said {
        let mut said = Said::default();
        facts.into_iter().for_each(|fact| said.add(fact));
        said
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.facts()).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    pub(crate) fn all() -> ArticleFacts {
        ArticleFacts {
            title: text("said"),
            description: text("about"),
            section: text("World"),
            authors: vec!["Ann".into()],
            published_at: Some(Timestamp::UNIX_EPOCH),
            modified_at: Some(Timestamp::UNIX_EPOCH),
            image: text("i"),
            language: text("en"),
        }
    }

    #[test]
    fn what_was_said_is_kept_as_a_number() {
        for fact in Fact::ALL {
            let said: Said = [fact].into_iter().collect();
            assert_eq!(Said::from_bits(said.bits()), said);
            assert_eq!(Fact::from_name(fact.as_str()), Some(fact));
        }
        // Pinned: a change would turn what is kept into something else.
        assert_eq!(Said::known(&all()).bits(), 0xff);
        assert_eq!([Fact::Section, Fact::Language].into_iter().collect::<Said>().bits(), 0b1000_0100);
        assert_eq!(Said::from_bits(0xff00), Said::default());
    }

    #[test]
    fn callers_say_only_what_they_may() {
        let read = |text: &str| serde_json::from_str::<ArticleFacts>(text);
        assert!(read(r#"{"title": "t", "section": null, "authors": []}"#).is_ok());
        for field in ["description", "modified_at", "anything"] {
            assert!(read(&format!("{{\"{field}\": null}}")).is_err(), "{field}");
        }
    }
}
