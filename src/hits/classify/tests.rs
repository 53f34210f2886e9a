//! Whole requests against the compiled-in tables, and the fixtures in `tests/fixtures/classify/`.

use proptest::prelude::*;

use super::hints::Hints;
use super::*;

const AGENTS: &str = include_str!("../../../tests/fixtures/classify/agents.tsv");
const SOURCES: &str = include_str!("../../../tests/fixtures/classify/sources.tsv");
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CHROME: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36";

fn lines<const N: usize>(fixture: &'static str) -> Vec<[&'static str; N]> {
    let lines = fixture.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().expect(line)).collect()
}

fn classifier(additions: Additions) -> Classifier {
    Classifier::new(Arc::new(Tables::new(&additions).unwrap()))
}

/// Class, reason, name, kind.
fn said(classifier: &mut Classifier, request: &Request<'_>) -> [String; 4] {
    let seen = classifier.see(request);
    let words = [seen.class.as_str(), seen.reason.as_str(), classifier.name(seen), classifier.kind(seen)];
    words.map(str::to_owned)
}

#[test]
fn agents_are_what_they_are() {
    let mut classifier = Classifier::default();
    let fixture = lines::<5>(AGENTS);
    assert!(fixture.len() >= 400);
    let mut wrong = vec![];
    for [class, first, second, third, text] in fixture {
        let seen = classifier.see(&Request { user_agent: text.as_bytes(), ..Request::default() });
        let agent = classifier.agent(seen.agent).unwrap();
        let got: [&str; 4] = match agent.class {
            Class::Click => ["click", agent.device, agent.os, &agent.browser],
            class => [class.as_str(), agent.kind, &agent.name, &agent.browser],
        };
        if got != [class, first, second, third] {
            wrong.push(format!("{got:?}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sources_are_what_they_are() {
    let own_hosts = vec!["newsroom.example:443".into()];
    let mut classifier = classifier(Additions { own_hosts, ..Additions::default() });
    let fixture = lines::<5>(SOURCES);
    assert!(fixture.len() >= 150);
    let mut wrong = vec![];
    for [source, medium, referrer, query, agent] in fixture {
        let cut = classifier.params().cut(Some(query));
        let agent = if agent.is_empty() { FIREFOX } else { agent };
        let request = Request {
            user_agent: agent.as_bytes(),
            referrer: referrer.as_bytes(),
            params: cut.as_bytes(),
            ..Request::default()
        };
        let seen = classifier.see(&request);
        let got = classifier.source(seen.source).unwrap();
        if (&*got.source, &*got.medium) != (source, medium) {
            wrong.push(format!("{got:?}: {referrer} {query}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rules_about_a_request_have_an_order() {
    let mut classifier = classifier(Additions {
        excluded_agents: vec!["Our-Probe".into(), " ".into()],
        ..Additions::default()
    });
    let browser = Request { user_agent: FIREFOX.as_bytes(), ..Request::default() };
    let probe = Request { user_agent: b"Mozilla/5.0 our-probe/1 Firefox/145.0", ..Request::default() };
    let slack = Request { user_agent: b"Slackbot-LinkExpanding 1.0", ..Request::default() };
    let curl = Request { user_agent: b"curl/8", ..Request::default() };
    let table = [
        (browser, ["click", "browser", "Firefox", ""]),
        (Request { head: true, ..browser }, ["preview", "head", "HEAD", "head"]),
        (Request { prefetch: true, ..browser }, ["preview", "prefetch", "Prefetch", "prefetch"]),
        (Request { head: true, ..slack }, ["preview", "head", "Slack", "head"]),
        (Request { head: true, ..curl }, ["preview", "head", "HEAD", "head"]),
        (probe, ["bot", "excluded", "Our-Probe", "excluded"]),
        (Request { head: true, ..probe }, ["bot", "excluded", "Our-Probe", "excluded"]),
        (
            Request { network: Network::Excluded, head: true, ..browser },
            ["bot", "excluded", "Firefox", "excluded"],
        ),
        (
            Request { network: Network::DataCentre, ..browser },
            ["bot", "data_centre", "Firefox", "data_centre"],
        ),
        (
            Request { network: Network::MailScanner, ..browser },
            ["bot", "mail_scanner", "Firefox", "mail_scanner"],
        ),
        (Request { network: Network::DataCentre, ..slack }, ["preview", "unfurl", "Slack", "unfurl"]),
        (Request { network: Network::DataCentre, ..curl }, ["bot", "known_bot", "curl", "library"]),
    ];
    for (request, expected) in table {
        assert_eq!(said(&mut classifier, &request), expected, "{request:?}");
    }
}

#[test]
fn what_cannot_be_read_is_a_bot() {
    let mut classifier = Classifier::default();
    let mut reason = |agent: &[u8]| {
        let seen = classifier.see(&Request { user_agent: agent, ..Request::default() });
        (seen.class, seen.reason)
    };
    assert_eq!(reason(b""), (Class::Bot, Reason::NoAgent));
    assert_eq!(reason(b" - "), (Class::Bot, Reason::NoAgent));
    assert_eq!(reason(b"\xff\xfe"), (Class::Bot, Reason::Unreadable));
    assert_eq!(
        reason(b"Mozilla/5.0 (X11) Gecko/20100101 Firefox/145.0 \xe9"),
        (Class::Bot, Reason::Unreadable)
    );
    assert_eq!(reason(b"\x00\x07"), (Class::Bot, Reason::Unreadable));
    assert_eq!(reason(format!("User-Agent: {FIREFOX}").as_bytes()), (Class::Click, Reason::Browser));
    // A carrier's name in another encoding.
    assert_eq!(reason(b"Mozilla/5.0 [FBAN/FBIOS;FBCR/Telef\xf3nica]"), (Class::Click, Reason::InApp));
    let long = format!("{FIREFOX} {}", "\u{e9}".repeat(5000));
    assert_eq!(reason(long.as_bytes()), (Class::Click, Reason::Browser), "cut in a character");
}

#[test]
fn hints_tell_what_an_agent_hides() {
    let mut classifier = Classifier::default();
    let mut browser = |agent: &str, hints: [&str; 4]| {
        let hints = Hints::pack(hints.map(str::as_bytes));
        let request = Request { user_agent: agent.as_bytes(), hints: hints.as_bytes(), ..Request::default() };
        let seen = classifier.see(&request);
        let agent = classifier.agent(seen.agent).unwrap();
        format!("{} {} {} {}", seen.class.as_str(), agent.device, agent.os, agent.browser)
    };
    let brands =
        |brand: &str| format!("\"Not)A;Brand\";v=\"8\", \"Chromium\";v=\"142\", \"{brand}\";v=\"142\"");
    assert_eq!(browser(CHROME, [&brands("Brave"), "?1", "\"Android\"", ""]), "click phone Android Brave");
    assert_eq!(
        browser(CHROME, [&brands("Google Chrome"), "?0", "\"Android\"", ""]),
        "click tablet Android Chrome"
    );
    assert_eq!(
        browser(CHROME, [&brands("Android WebView"), "?1", "\"Android\"", ""]),
        "click phone Android Android WebView"
    );
    assert_eq!(browser(CHROME, ["", "?1", "", "com.facebook.katana"]), "click phone Android Facebook in-app");
    assert_eq!(browser(CHROME, ["", "", "", "com.example.reader"]), "click phone Android Chrome");
    assert!(browser(CHROME, [&brands("HeadlessChrome"), "?0", "\"Linux\"", ""]).starts_with("bot"));
    assert!(browser("curl/8", [&brands("Brave"), "?1", "\"Android\"", ""]).starts_with("bot"));
}

#[test]
fn an_operators_lines_come_first() {
    let agents =
        "apps = [[\"Our app\", \"Our push\", \"ourapp/\"]]\n[bots]\nmonitor = [[\"Ours\", \"firefox/145\"]]";
    let sources = "[sources]\npush = [[\"Our push\", \"push.newsroom.example\"]]\n\
                   social = [[\"Our Facebook\", \"facebook.com\"]]\n[parameters]\nsource = [\"from\"]";
    let mut classifier = classifier(Additions {
        agents: Some(agents.into()),
        sources: Some(sources.into()),
        ..Additions::default()
    });
    let request = Request { user_agent: FIREFOX.as_bytes(), ..Request::default() };
    assert_eq!(said(&mut classifier, &request), ["bot", "known_bot", "Ours", "monitor"]);
    let mut source = |request: Request<'_>| {
        let seen = classifier.see(&request);
        let source = classifier.source(seen.source).unwrap();
        [source.source.to_string(), source.medium.to_string(), source.referrer.to_string()]
    };
    let app = Request { user_agent: b"Mozilla/5.0 AppleWebKit/605.1.15 OurApp/1", ..Request::default() };
    assert_eq!(source(app), ["Our push", "push", ""]);
    let facebook = Request { referrer: b"https://l.facebook.com/", ..request };
    assert_eq!(source(facebook), ["Our Facebook", "social", "facebook.com"]);
    let param = Request { params: b"from=fb", ..request };
    assert_eq!(source(param), ["Facebook", "social", ""]);
}

#[test]
fn ids_stand_for_equal_answers() {
    let mut classifier = Classifier::default();
    let mut see = |agent: &str, referrer: &str, qr| {
        classifier.see(&Request {
            user_agent: agent.as_bytes(),
            referrer: referrer.as_bytes(),
            qr,
            ..Request::default()
        })
    };
    let first = see(FIREFOX, "https://t.co/a", false);
    assert_eq!(first, see(&FIREFOX.replace("145", "144"), "https://t.co/b", false));
    assert_ne!(first.source, see(FIREFOX, "https://t.co/a", true).source);
    assert!(!classifier.settle(), "few answers are kept");
}

#[test]
fn memory_is_bounded() {
    let mut memo = Memo::<u64>::new();
    for i in 0..50_000_u64 {
        let id = memo.id(&[&i.to_le_bytes(), &[0; 600]], || i % 10);
        assert_eq!(memo.answers[id as usize], i % 10);
        assert!(memo.known.len() <= MEMO_ENTRIES && memo.bytes <= MEMO_BYTES);
    }
    assert_eq!(memo.answers.len(), 10, "forgetting what was read keeps the answers");
}

proptest! {
    #[test]
    fn classifying_is_total_and_bounded(
        user_agent in prop::collection::vec(any::<u8>(), 0..1200),
        hints in prop::collection::vec(any::<u8>(), 0..255),
        referrer in prop::collection::vec(any::<u8>(), 0..300),
        params in prop::collection::vec(any::<u8>(), 0..200),
        flags in any::<[bool; 3]>(),
    ) {
        let request = Request {
            head: flags[0], prefetch: flags[1], qr: flags[2], network: Network::Unknown,
            user_agent: &user_agent, hints: &hints, referrer: &referrer, params: &params,
        };
        check(&request)?;
    }

    #[test]
    fn so_it_is_for_what_looks_like_an_agent(
        agent in "(Mozilla/5.0 )?(\\(compatible; )?[ -~\u{e9}\u{130}@/;.()]{0,80}(bot|Android|http|@| Safari/1)?[ -~]{0,40}",
        referrer in "(https?|android-app)://[a-z0-9.:@\\[\\]-]{0,40}/?",
        query in "(utm_source|ref|fbclid)=[ -~]{0,80}",
    ) {
        let request = Request {
            user_agent: agent.as_bytes(), referrer: referrer.as_bytes(), params: query.as_bytes(),
            ..Request::default()
        };
        check(&request)?;
    }
}

fn check(request: &Request<'_>) -> Result<(), TestCaseError> {
    thread_local! {
        static CLASSIFIER: std::cell::RefCell<Classifier> = Classifier::default().into();
    }
    CLASSIFIER.with_borrow_mut(|classifier| {
        let seen = classifier.see(request);
        prop_assert_eq!(seen, classifier.see(request), "remembered");
        let (agent, source) =
            (classifier.agent(seen.agent).unwrap(), classifier.source(seen.source).unwrap());
        for text in [&agent.name, &agent.browser, &source.source, &source.medium, &source.referrer]
            .map(|text| &**text)
        {
            prop_assert!(text.len() <= MAX_VALUE && !text.chars().any(char::is_control), "{text:?}");
        }
        prop_assert!(!source.source.is_empty() && !source.medium.is_empty());
        prop_assert_eq!(seen.class == Class::Click, matches!(seen.reason, Reason::Browser | Reason::InApp));
        Ok(())
    })
}
