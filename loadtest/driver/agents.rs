//! The browsers of the standard mix: user agents and the headers such a browser sends with them.
//!
//! Guarantees: the same seed gives the same browsers, all different; a browser's headers agree with each other (only
//! Chromium sends client hints, a phone says that it is one). Refuses to know: how a server classifies them.

use std::collections::HashSet;

use crate::random::Random;

const MODELS: &[(&str, &str)] = &[
    ("SM-S918B", "14"),
    ("SM-S926B", "15"),
    ("SM-A546B", "14"),
    ("SM-A155F", "14"),
    ("SM-G991B", "13"),
    ("Pixel 6a", "13"),
    ("Pixel 7", "14"),
    ("Pixel 8 Pro", "15"),
    ("Redmi Note 12", "13"),
    ("M2101K6G", "12"),
    ("CPH2387", "13"),
    ("moto g54 5G", "14"),
    ("XQ-DC54", "14"),
    ("2201117TG", "13"),
];
const PHONES: &[&str] =
    &["iPhone13,2", "iPhone14,5", "iPhone14,7", "iPhone15,2", "iPhone15,4", "iPhone16,1", "iPhone17,3"];
const DESKTOPS: &[(&str, &str)] = &[
    ("Windows NT 10.0; Win64; x64", "Windows"),
    ("Macintosh; Intel Mac OS X 10_15_7", "macOS"),
    ("X11; Linux x86_64", "Linux"),
];
const LANGUAGES: &[&str] = &[
    "en-GB,en;q=0.9",
    "en-US,en;q=0.9",
    "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "fr-FR,fr;q=0.9,en;q=0.8",
    "nl-NL,nl;q=0.9,en-US;q=0.8,en;q=0.7",
    "es-ES,es;q=0.9",
    "sv-SE,sv;q=0.9,en;q=0.7",
];
const ACCEPT_CHROMIUM: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
const ACCEPT_PLAIN: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const WEBKIT: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";

/// What a browser tells of itself.
struct Browser {
    agent: String,
    hints: Option<Hints>,
}

/// The client hints that Chromium sends without being asked.
struct Hints {
    brand: &'static str,
    version: u64,
    platform: &'static str,
    mobile: bool,
}

/// `amount` browsers, each as a block of header lines ready to send.
pub(crate) fn blocks(random: &mut Random, amount: usize) -> Vec<Box<[u8]>> {
    let mut known = HashSet::new();
    let mut found = Vec::with_capacity(amount);
    while found.len() < amount {
        let browser = draw(random);
        if known.insert(browser.agent.clone()) {
            let language = random.pick(LANGUAGES).copied().unwrap_or("en");
            found.push(block(&browser, language).into_bytes().into_boxed_slice());
        }
    }
    found
}

fn draw(random: &mut Random) -> Browser {
    match random.below(100) {
        0..22 => chrome_android(random),
        22..40 => chromium_desktop(random),
        40..58 => safari(random),
        58..66 => firefox(random),
        66..82 => in_app_android(random),
        _ => in_app_ios(random),
    }
}

fn chrome_android(random: &mut Random) -> Browser {
    let version = 110 + random.below(34);
    let (model, android) = random.pick(MODELS).copied().unwrap_or(("K", "10"));
    let samsung = model.starts_with("SM-") && random.below(3) == 0;
    let shown =
        if random.below(2) == 0 { format!("Android {android}; {model}") } else { "Android 10; K".to_owned() };
    let extra = if samsung { format!("SamsungBrowser/{}.0 ", 20 + random.below(9)) } else { String::new() };
    let brand = if samsung { "Samsung Internet" } else { "Google Chrome" };
    Browser {
        agent: format!(
            "Mozilla/5.0 (Linux; {shown}) {BLINK} {extra}Chrome/{version}.0.0.0 Mobile Safari/537.36"
        ),
        hints: Some(Hints { brand, version, platform: "Android", mobile: true }),
    }
}

fn chromium_desktop(random: &mut Random) -> Browser {
    let version = 108 + random.below(36);
    let (system, platform) = random.pick(DESKTOPS).copied().unwrap_or(("X11; Linux x86_64", "Linux"));
    let edge = random.below(4) == 0;
    let extra = if edge { format!(" Edg/{version}.0.0.0") } else { String::new() };
    let brand = if edge { "Microsoft Edge" } else { "Google Chrome" };
    Browser {
        agent: format!("Mozilla/5.0 ({system}) {BLINK} Chrome/{version}.0.0.0 Safari/537.36{extra}"),
        hints: Some(Hints { brand, version, platform, mobile: false }),
    }
}

fn safari(random: &mut Random) -> Browser {
    let (major, minor) = (15 + random.below(4), random.below(8));
    let agent = match random.below(5) {
        0 => format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/{major}.{minor} Safari/605.1.15"
        ),
        1 => format!(
            "Mozilla/5.0 (iPad; CPU OS {major}_{minor} like Mac OS X) {WEBKIT} Version/{major}.{minor} Mobile/15E148 Safari/604.1"
        ),
        _ => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor}_{} like Mac OS X) {WEBKIT} Version/{major}.{minor} Mobile/15E148 Safari/604.1",
            1 + random.below(3)
        ),
    };
    Browser { agent, hints: None }
}

fn firefox(random: &mut Random) -> Browser {
    let version = 102 + random.below(42);
    let agent = match random.below(4) {
        0 => format!(
            "Mozilla/5.0 (Android {}; Mobile; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0",
            11 + random.below(5)
        ),
        1 => format!(
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        ),
        2 => format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        ),
        _ => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        ),
    };
    Browser { agent, hints: None }
}

fn in_app_android(random: &mut Random) -> Browser {
    let version = 112 + random.below(30);
    let (model, android) = random.pick(MODELS).copied().unwrap_or(("K", "10"));
    let build = format!("{}.0.{}.{}", version, 5000 + random.below(2000), 40 + random.below(160));
    let app = match random.below(6) {
        0 | 1 => format!(
            "[FB_IAB/FB4A;FBAV/{}.0.0.{}.{};]",
            430 + random.below(60),
            20 + random.below(60),
            60 + random.below(60)
        ),
        2 | 3 => format!(
            "Instagram {}.0.0.{}.{} Android",
            310 + random.below(50),
            20 + random.below(40),
            80 + random.below(60)
        ),
        4 => format!("TwitterAndroid/10.{}.0", 20 + random.below(70)),
        _ => format!("GSA/15.{}.{}.28.arm64", 10 + random.below(40), 10 + random.below(30)),
    };
    Browser {
        agent: format!(
            "Mozilla/5.0 (Linux; Android {android}; {model}; wv) {BLINK} Version/4.0 Chrome/{build} Mobile Safari/537.36 {app}"
        ),
        hints: Some(Hints { brand: "Android WebView", version, platform: "Android", mobile: true }),
    }
}

fn in_app_ios(random: &mut Random) -> Browser {
    let (major, minor) = (15 + random.below(4), random.below(7));
    let phone = random.pick(PHONES).copied().unwrap_or("iPhone14,5");
    let app = match random.below(7) {
        0 | 1 => format!(
            "[FBAN/FBIOS;FBAV/{}.0.0.{}.{};FBDV/{phone};FBMD/iPhone;FBSN/iOS;FBSV/{major}.{minor}]",
            430 + random.below(60),
            20 + random.below(60),
            60 + random.below(60)
        ),
        2 | 3 => format!(
            "Instagram {}.0.3.{}.{} ({phone}; iOS {major}_{minor})",
            310 + random.below(50),
            20 + random.below(40),
            random.below(90)
        ),
        4 => format!("Twitter for iPhone/10.{}", 20 + random.below(70)),
        5 => format!("[LinkedInApp]/9.{}.{}", 20 + random.below(40), 1000 + random.below(9000)),
        _ => format!(
            "GSA/{}.0.{} Mobile/15E148 Safari/604.1",
            280 + random.below(80),
            600_000_000 + random.below(90_000_000)
        ),
    };
    Browser {
        agent: format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) {WEBKIT} Mobile/15E148 {app}"
        ),
        hints: None,
    }
}

fn block(browser: &Browser, language: &str) -> String {
    let mut lines = String::with_capacity(900);
    if let Some(Hints { brand, version, platform, mobile }) = &browser.hints {
        let mobile = u8::from(*mobile);
        lines.push_str(&format!(
            "sec-ch-ua: \"Chromium\";v=\"{version}\", \"{brand}\";v=\"{version}\", \"Not_A Brand\";v=\"24\"\r\n\
             sec-ch-ua-mobile: ?{mobile}\r\nsec-ch-ua-platform: \"{platform}\"\r\n"
        ));
    }
    let accept = if browser.hints.is_some() { ACCEPT_CHROMIUM } else { ACCEPT_PLAIN };
    let encoding = if browser.hints.is_some() { "gzip, deflate, br, zstd" } else { "gzip, deflate, br" };
    lines.push_str(&format!(
        "Upgrade-Insecure-Requests: 1\r\nUser-Agent: {}\r\nAccept: {accept}\r\nSec-Fetch-Mode: navigate\r\n\
         Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: {encoding}\r\nAccept-Language: {language}\r\n",
        browser.agent
    ));
    lines
}
