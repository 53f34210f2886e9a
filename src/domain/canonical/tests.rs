//! Which spellings are one article, what a link to one leads to, and which claims are believed.

use std::collections::HashMap;

use proptest::prelude::*;

use super::tracking::Lists;
use super::*;

const SPELLINGS: &str = include_str!("../../../tests/fixtures/articles/addresses.txt");
const LISTS: &str = include_str!("../../../config/lists/tracking.toml");

fn tracking() -> Tracking {
    Tracking::from_lists(&toml::from_str::<Lists>(LISTS).unwrap(), &[])
}

fn canon() -> Canon {
    Canon::new(tracking(), Sites::default())
}

/// A newsroom that named its hosts.
fn newsroom() -> Canon {
    let hosts = |list: &[&str]| -> Vec<String> { list.iter().map(|h| (*h).to_owned()).collect() };
    let daily = hosts(&["www.daily.example", "magazine.daily.example", "daily.test"]);
    let allowed = hosts(&["www.daily.example", "m.daily.example", "m.lonely.example", "127.0.0.1:8099"]);
    Canon::new(tracking(), Sites::new([("daily", daily.as_slice())], &allowed).unwrap())
}

fn url(text: &str) -> Url {
    Url::parse(text.trim()).unwrap()
}

#[test]
fn spellings_of_one_article() {
    let (mut expected, mut read) = ("", 0);
    let mut known: HashMap<String, &str> = HashMap::new();
    for line in SPELLINGS.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(canonical) = line.strip_prefix("= ") {
            expected = canonical;
            assert_eq!(known.insert(canonical.to_owned(), line), None, "{canonical} is there once");
            continue;
        }
        assert_eq!(canon().identity(&url(line)).url.as_str(), expected, "{line}");
        read += 1;
    }
    assert!(read >= 150, "{read} spellings");
    for canonical in known.keys() {
        assert_eq!(canon().identity(&url(canonical)).url.as_str(), canonical);
    }
}

#[test]
fn a_host_is_called_as_the_operator_calls_it() {
    // (address, canonical, site)
    let table = [
        ("http://daily.example/a/", "https://www.daily.example/a", "daily"),
        ("https://m.daily.example/a", "https://www.daily.example/a", "daily"),
        ("https://www.google.com/amp/s/amp.daily.example/a", "https://www.daily.example/a", "daily"),
        ("https://magazine.daily.example/a", "https://magazine.daily.example/a", "daily"),
        ("https://daily.test/a", "https://daily.test/a", "daily"),
        ("https://lonely.example/a", "https://m.lonely.example/a", "m.lonely.example"),
        ("http://127.0.0.1:8099/a", "http://127.0.0.1:8099/a", "127.0.0.1:8099"),
        ("https://www.other.example/a", "https://other.example/a", "other.example"),
    ];
    for (address, canonical, site) in table {
        let identity = newsroom().identity(&url(address));
        assert_eq!((identity.url.as_str(), identity.site.as_str()), (canonical, site), "{address}");
    }
}

#[test]
fn targets() {
    // (pasted, keep_params, target, dropped)
    let table = [
        (
            "https://www.daily.example/live?utm_source=x&id=1#block-9",
            false,
            "https://www.daily.example/live?id=1#block-9",
            "utm_source",
        ),
        (
            "https://www.daily.example/a/?gift=T0ken&fbclid=1",
            false,
            "https://www.daily.example/a/?gift=T0ken",
            "fbclid",
        ),
        ("https://www.daily.example/a?z=1&a=2&z=3", false, "https://www.daily.example/a?z=1&a=2&z=3", ""),
        ("http://www.daily.example/a/", false, "http://www.daily.example/a/", ""),
        ("https://daily.example/a", false, "https://daily.example/a", ""),
        ("https://m.daily.example/a?UTM_Medium=y#f", false, "https://www.daily.example/a#f", "UTM_Medium"),
        ("https://m.lonely.example/a", false, "https://m.lonely.example/a", ""),
        ("https://amp.unnamed.example/a", false, "https://amp.unnamed.example/a", ""),
        ("https://www.daily.example/a/amp/?id=1", false, "https://www.daily.example/a/?id=1", ""),
        ("https://www.daily.example/a?amp=1&id=1", false, "https://www.daily.example/a?id=1", "amp"),
        ("https://www.daily.example/a?amp=1&utm_id=1", true, "https://www.daily.example/a?utm_id=1", "amp"),
        (
            "https://www.daily.example/a?utm_id=1&fbclid=2",
            true,
            "https://www.daily.example/a?utm_id=1&fbclid=2",
            "",
        ),
        (
            "https://www.google.com/amp/s/amp.daily.example/a?usqp=1",
            false,
            "https://www.daily.example/a",
            "usqp",
        ),
        (
            "https://www.daily.example/a/amp#referrer=https%3A%2F%2Fwww.google.com&amp_tf=x",
            false,
            "https://www.daily.example/a",
            "referrer amp_tf",
        ),
        ("https://www.daily.example/a#:~:text=river", false, "https://www.daily.example/a#:~:text=river", ""),
        (
            "https://www.daily.example/a?unlocked_article_code=1.a&smid=url-share",
            false,
            "https://www.daily.example/a?unlocked_article_code=1.a",
            "smid",
        ),
    ];
    for (pasted, keep, target, dropped) in table {
        let found = newsroom().target(&url(pasted), keep);
        assert_eq!(found.url.as_str(), target, "{pasted}");
        assert_eq!(found.dropped.join(" "), dropped, "{pasted}");
        let (of_pasted, of_target) = (newsroom().identity(&url(pasted)), newsroom().identity(&found.url));
        assert_eq!(of_pasted, of_target, "{pasted}: a target is of the same article");
    }
}

/// (page, its claims, the one believed)
type Claims = (&'static str, &'static [&'static str], Option<&'static str>);

const CLAIMS: [Claims; 23] = [
    (
        "https://m.daily.example/x7",
        &["https://www.daily.example/world/story-1"],
        Some("https://www.daily.example/world/story-1"),
    ),
    (
        "https://daily.test/world/old-story-name",
        &["https://www.daily.example/world/new-story-name"],
        Some("https://www.daily.example/world/new-story-name"),
    ),
    ("https://www.daily.example/a", &["https://www.daily.example/b"], Some("https://www.daily.example/b")),
    (
        "https://www.daily.example/a?utm_id=1",
        &["https://www.daily.example/a"],
        Some("https://www.daily.example/a"),
    ),
    (
        "https://www.daily.example/world",
        &["https://www.daily.example/world/"],
        Some("https://www.daily.example/world"),
    ),
    // Of another site, a home, section, login or consent page: none.
    ("https://www.daily.example/a/story-1-x", &["https://www.wire.example/a/story-1-x"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/?utm_source=x"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/en/"], None),
    ("https://www.daily.example/world/story-1-x", &["https://www.daily.example/world"], None),
    ("https://www.daily.example/a/b/story-1-x", &["https://www.daily.example/a/b/"], None),
    ("https://www.daily.example/world/story-1-x", &["https://www.daily.example/regional"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/topics/rivers"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/login?to=/a"], None),
    ("https://www.daily.example/a/story-1-x", &["https://www.daily.example/consent"], None),
    ("https://www.daily.example/consent?to=/a", &["https://www.daily.example/a/story-1-x"], None),
    ("https://www.daily.example/story?id=5", &["https://www.daily.example/story"], None),
    (
        "https://www.daily.example/story?page=2",
        &["https://www.daily.example/story"],
        Some("https://www.daily.example/story"),
    ),
    ("https://www.daily.example/a", &["ftp://www.daily.example/b", "mailto:a@daily.example"], None),
    (
        "https://www.daily.example/a/1",
        &["https://www.daily.example/", "https://www.daily.example/b/2"],
        Some("https://www.daily.example/b/2"),
    ),
    (
        "https://www.daily.example/a/1",
        &["https://www.daily.example/c/3", "https://www.daily.example/b/2"],
        Some("https://www.daily.example/c/3"),
    ),
    ("https://sub.other.example/a/1", &["https://www.other.example/a/1"], None),
    ("https://www.daily.example/a/1", &[], None),
];

#[test]
fn claims() {
    for (page, claims, expected) in CLAIMS {
        let claims: Vec<Url> = claims.iter().map(|c| url(c)).collect();
        let believed = newsroom().believed(&url(page), &claims);
        assert_eq!(believed.as_ref().map(|b| b.url.as_str()), expected, "{page} claims {claims:?}");
    }
}

#[test]
fn the_lists_name_nothing_that_identifies() {
    let lists: Lists = toml::from_str(LISTS).unwrap();
    assert!(lists.dated.parse::<jiff::civil::Date>().is_ok());
    let tracking = tracking();
    for pattern in lists.parameters.iter().chain(&lists.views).chain(&lists.forms) {
        assert!(!tracking.identifies(pattern), "{pattern}");
        assert!(*pattern != "*" && !pattern.is_empty());
    }
    for name in &lists.identifying {
        assert_eq!(tracking.purpose(&format!("{name}=17")), tracking::Purpose::Article, "{name}");
    }
}

fn parts() -> impl Strategy<Value = (String, Vec<String>)> {
    let host = prop::sample::select(vec!["www.daily.example", "m.daily.example", "a.test", "amp.b.co.uk:81"]);
    let segment = "(amp|index\\.html|[a-z0-9%.;=-]{0,6}|%[0-9a-fA-F]{2}|story\\.amp\\.html)";
    let path = prop::collection::vec(segment, 0..5);
    let name = "(id|p|utm_[a-z]|amp|gift|page|[a-zA-Z%2]{0,3})";
    let value = "(with:[a-z]|[a-z0-9+%]{0,4}|%[0-9a-fA-F]{2})";
    let pairs = prop::collection::vec((name, value).prop_map(|(n, v)| format!("{n}={v}")), 0..6);
    (host, path, pairs).prop_map(|(host, path, pairs)| (format!("http://{host}/{}", path.join("/")), pairs))
}

proptest! {
    #[test]
    fn canonical_forms_are_their_own((address, pairs) in parts()) {
        if let Ok(url) = Url::parse(&format!("{address}?{}#f", pairs.join("&"))) {
            for canon in [canon(), newsroom()] {
                let once = canon.identity(&url);
                prop_assert_eq!(&canon.identity(&once.url), &once);
                prop_assert_eq!(Url::parse(once.url.as_str()).unwrap(), once.url.clone());
                prop_assert_eq!(canon.identity(&canon.target(&url, false).url), once);
            }
        }
    }

    #[test]
    fn the_order_of_parameters_does_not_matter(
        ((address, pairs), shuffled) in parts().prop_flat_map(|(address, pairs)| {
            (Just((address, pairs.clone())), Just(pairs).prop_shuffle())
        })
    ) {
        let read = |pairs: &[String]| Url::parse(&format!("{address}?{}", pairs.join("&")));
        if let (Ok(one), Ok(other)) = (read(&pairs), read(&shuffled)) {
            prop_assert_eq!(canon().identity(&one), canon().identity(&other));
        }
    }

    #[test]
    fn every_address_has_an_answer(text in "\\PC{0,60}", rest in "[ -~]{0,60}") {
        for text in [format!("https://{text}/{rest}"), format!("http://google.com/amp/s/{text}?{rest}"),
            format!("https://a.test/{text}?{rest}#{text}"), text]
        {
            if let Ok(url) = Url::parse(&text) {
                let once = newsroom().identity(&url);
                prop_assert_eq!(&newsroom().identity(&once.url), &once, "{}", text);
                let believed = newsroom().believed(&url, [&url]);
                prop_assert!(believed.is_none_or(|believed| believed == once));
                prop_assert_eq!(newsroom().identity(&newsroom().target(&url, true).url), once);
            }
        }
    }
}
