//! What an address can be: a page of its own, or one that stands before or above many.
//!
//! A home, section, login or consent page must never be taken for a story: everything that claims it would become
//! one. Judged by the address alone; in doubt it is a page.

use url::Url;

/// What an address looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A page of its own.
    Page,
    /// A site's or an edition's first page.
    Home,
    /// A list of stories.
    Section,
    /// Asks who the reader is, or for money.
    Login,
    /// Asks the reader for consent.
    Consent,
}

const HOMES: [&str; 12] = [
    "home",
    "homepage",
    "index",
    "start",
    "startseite",
    "international",
    "edition",
    "frontpage",
    "portada",
    "accueil",
    "default",
    "main",
];
/// Languages and countries that have first pages of their own.
const LANGUAGES: [&str; 36] = [
    "en", "de", "fr", "es", "it", "nl", "pt", "pl", "ru", "tr", "ar", "zh", "ja", "ko", "sv", "da", "no",
    "fi", "el", "he", "hi", "cs", "hu", "ro", "uk", "us", "eu", "au", "ca", "br", "ch", "at", "ie", "in",
    "mx", "za",
];
/// First segments below which lists are kept.
const LISTS: [&str; 25] = [
    "section",
    "sections",
    "category",
    "categories",
    "kategorie",
    "topic",
    "topics",
    "tag",
    "tags",
    "thema",
    "themen",
    "author",
    "authors",
    "autor",
    "autoren",
    "auteur",
    "search",
    "suche",
    "ressort",
    "rubrik",
    "rubrique",
    "seccion",
    "etiqueta",
    "profile",
    "contributor",
];
/// Sections that are called alike everywhere.
const SECTIONS: [&str; 58] = [
    "news",
    "world",
    "politics",
    "business",
    "sport",
    "sports",
    "culture",
    "opinion",
    "opinions",
    "technology",
    "tech",
    "science",
    "health",
    "local",
    "national",
    "international",
    "economy",
    "finance",
    "money",
    "markets",
    "lifestyle",
    "life",
    "style",
    "arts",
    "entertainment",
    "travel",
    "food",
    "books",
    "film",
    "music",
    "video",
    "videos",
    "live",
    "latest",
    "archive",
    "weather",
    "us",
    "uk",
    "europe",
    "africa",
    "asia",
    "americas",
    "middle-east",
    "environment",
    "climate",
    "education",
    "politik",
    "wirtschaft",
    "kultur",
    "panorama",
    "wissen",
    "monde",
    "economie",
    "deportes",
    "cultura",
    "esporte",
    "mundo",
    "feed",
];
const LOGINS: [&str; 31] = [
    "login",
    "log-in",
    "signin",
    "sign-in",
    "sign_in",
    "signup",
    "sign-up",
    "register",
    "registration",
    "logout",
    "auth",
    "authenticate",
    "authorize",
    "oauth",
    "oauth2",
    "sso",
    "account",
    "accounts",
    "myaccount",
    "my-account",
    "anmelden",
    "anmeldung",
    "connexion",
    "iniciar-sesion",
    "subscribe",
    "subscription",
    "abo",
    "paywall",
    "checkout",
    "captcha",
    "wp-login.php",
];
const CONSENTS: [&str; 24] = [
    "consent",
    "cookie-consent",
    "cookieconsent",
    "collectconsent",
    "cookie",
    "cookies",
    "cookie-policy",
    "cookiewall",
    "privacy",
    "privacy-policy",
    "privacy-gate",
    "privacywall",
    "gdpr",
    "gdpr-consent",
    "cmp",
    "tcf",
    "datenschutz",
    "zustimmung",
    "einwilligung",
    "consentement",
    "privacidad",
    "age-gate",
    "access-denied",
    "unsupported",
];

/// What an address looks like.
#[must_use]
pub fn standing(url: &Url) -> Standing {
    let path = url.path().to_ascii_lowercase();
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let label = url.host_str().and_then(|host| host.split('.').next()).unwrap_or_default();
    let many_labels = url.host_str().is_some_and(|host| host.split('.').count() > 2);
    let ends = [segments.first(), segments.last()];
    let has = |words: &[&str]| ends.iter().flatten().any(|s| words.contains(s));
    if has(&CONSENTS) || (many_labels && CONSENTS.contains(&label)) {
        return Standing::Consent;
    }
    if has(&LOGINS) || (many_labels && (LOGINS.contains(&label) || label == "id")) {
        return Standing::Login;
    }
    match segments.as_slice() {
        [] if url.query().is_none() => Standing::Home,
        [one] if url.query().is_none() && (HOMES.contains(&stem(one)) || is_language(one)) => Standing::Home,
        [one] if SECTIONS.contains(one) && url.query().is_none() => Standing::Section,
        [first, ..] if LISTS.contains(first) && !is_story_like(url) => Standing::Section,
        _ => Standing::Page,
    }
}

/// True for an address whose last part looks like a story's: several words, a number, a file.
pub(super) fn is_story_like(url: &Url) -> bool {
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let words = last.split(['-', '_']).filter(|word| !word.is_empty()).count();
    let digits = last.bytes().filter(u8::is_ascii_digit).count();
    let file = last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let is_file = file
        .is_some_and(|f| matches!(f.as_str(), "html" | "htm" | "shtml" | "php" | "aspx" | "ece" | "story"));
    words >= 3 || digits >= 4 || is_file
}

fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// `de`, `en-gb`: a first page in a language, or for a country.
fn is_language(segment: &str) -> bool {
    match segment.split_once(['-', '_']) {
        Some((language, region)) => LANGUAGES.contains(&language) && region.len() == 2,
        None => LANGUAGES.contains(&segment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings() {
        let table = [
            ("https://a.test/", Standing::Home),
            ("https://a.test/index.html", Standing::Home),
            ("https://a.test/en-gb/", Standing::Home),
            ("https://a.test/de", Standing::Home),
            ("https://a.test/?p=123", Standing::Page),
            ("https://a.test/world", Standing::Section),
            ("https://a.test/world?id=7", Standing::Page),
            ("https://a.test/topics/climate", Standing::Section),
            ("https://a.test/author/ann-lee", Standing::Section),
            ("https://a.test/topic/why-the-river-rose-again", Standing::Page),
            ("https://a.test/login?next=/x", Standing::Login),
            ("https://login.a.test/x", Standing::Login),
            ("https://a.test/account/signin", Standing::Login),
            ("https://consent.a.test/collect?session=1", Standing::Consent),
            ("https://a.test/privacy-gate?to=/x", Standing::Consent),
            ("https://a.test/world/consent-law-passes-2026", Standing::Page),
            ("https://a.test/world/privacy-is-dead/story-1", Standing::Page),
            ("https://a.test/x", Standing::Page),
            ("https://consent.test/x", Standing::Page),
        ];
        for (url, expected) in table {
            assert_eq!(standing(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
