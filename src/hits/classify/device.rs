//! What a person reads with: kind of device, and system.
//!
//! Both from the agent in lower case and the client hints. Guarantees a word for each; `other` where nothing says.
//! Which browser it is, the tables know.

use super::hints::Read;

/// Where nothing says.
pub(super) const OTHER: &str = "other";

/// Signs of a television, which come before all else: most of them also say Android, Linux or Windows.
const TELEVISIONS: &[&str] = &[
    "smart-tv",
    "smarttv",
    "smart tv",
    "googletv",
    "google tv",
    "android tv",
    "androidtv",
    "appletv",
    "apple tv",
    "tvos",
    "hbbtv",
    "netcast",
    "web0s",
    "webos tv",
    "webos.tv",
    "bravia",
    "crkey",
    "roku",
    "viera",
    "vidaa",
    "titanos",
    "philipstv",
    "nettv",
    "inettvbrowser",
    "dtv",
    "aquos",
    "mibox",
    "mitv",
    "mi tv",
    "shield android",
    "nexus player",
    "tv box",
    "tvbox",
    " tv ",
    " tv;",
    " tv)",
    "-tv/",
    "ott ",
    "stb",
    "firetv",
    "fire tv",
    "tizen tv",
    "sonydtv",
    "opera tv",
    "large screen",
    "freebox",
    "ce-html",
    "chromecast",
    "tv safari",
    "whaletv",
    "zeasn",
];

/// Amazon's names for its televisions begin so.
const FIRE_TELEVISION: &str = "aft";

const TABLETS: &[&str] = &[
    "ipad",
    "tablet",
    "playbook",
    "kindle fire",
    "nexus 7",
    "nexus 9",
    "nexus 10",
    "pixel c",
    "sm-t",
    "sm-x",
    "sm-p",
    "gt-p",
    "gt-n80",
    "gt-n51",
    "mediapad",
    "matepad",
    "lenovo tb",
    "lenovo yt",
    "xoom",
    "nook",
    "transformer",
    "redmi pad",
    "mi pad",
    "xiaomi pad",
    "oppo pad",
    "opd2",
    "vivo pad",
    "honor pad",
    "realme pad",
    "tab ",
    "tab-",
    "tab_",
];

const CONSOLES: &[&str] =
    &["playstation", "nintendo", "xbox", "steam deck", "steamdeck", "valve steam gameoverlay"];
const WATCHES: &[&str] =
    &["watchos", "apple watch", "wear os", "moto 360", "wearos", "sm-r8", "sm-r9", "sm-l3", "galaxy watch"];
const READERS: &[&str] = &["kindle/", "kobo", "tolino", "pocketbook", "sony reader", "boox"];
const GLASSES: &[&str] =
    &["oculusbrowser", "quest", "pico neo", "vive", "visionos", "apple vision", "mobile vr"];
const CARS: &[&str] = &["qtcarbrowser", "tesla/", "carbrowser", "android automotive", "polestar"];

/// Telephones that say neither Android nor iPhone.
const PHONES: &[&str] = &[
    "iphone",
    "ipod",
    "windows phone",
    "iemobile",
    "kaios",
    "midp",
    "symbian",
    "series40",
    "series60",
    "blackberry",
    "bb10",
    "nokia",
    "sonyericsson",
    "docomo",
    "kddi-",
    "softbank/",
    "up.browser",
    "obigo",
    "bada",
    "maemo",
    "meego",
    "tizen",
    "sailfish",
    "ubuntu touch",
    "opera mini",
    "opera mobi",
    "ucweb",
    "palm",
    "webos",
    "mobile",
];

/// The kind of device.
pub(super) fn device(agent: &str, hints: &Read) -> &'static str {
    let has = |signs: &[&str]| signs.iter().any(|sign| agent.contains(sign));
    if has(CONSOLES) {
        return "console";
    }
    if has(TELEVISIONS) || is_fire_television(agent) {
        return "tv";
    }
    if has(WATCHES) {
        return "watch";
    }
    if has(GLASSES) {
        return "vr";
    }
    if has(CARS) {
        return "car";
    }
    if has(READERS) {
        return "ereader";
    }
    if agent.contains("android") && !agent.contains("windows phone") {
        return android(agent, hints, has(TABLETS));
    }
    if agent.contains("windows nt") && !agent.contains("windows phone") {
        return "desktop";
    }
    if has(&["ipad", "playbook"]) {
        return "tablet";
    }
    if has(PHONES) || hints.mobile == Some(true) {
        // A Mac does not say Mobile: this is an iPad that wants the pages of a Mac.
        let disguised = agent.contains("macintosh") && agent.contains("mobile/");
        return if disguised { "tablet" } else { "phone" };
    }
    let desktop = [
        "windows",
        "macintosh",
        "mac os",
        "mac_powerpc",
        "x11",
        "linux",
        "cros",
        "bsd",
        "sunos",
        "haiku",
        "beos",
        "amiga",
        "morphos",
        "os/2",
        "ubuntu",
    ];
    if has(&desktop)
        || ["lynx", "w3m", "links", "elinks", "browsh", "dillo", "netsurf"]
            .iter()
            .any(|text| agent.starts_with(text))
    {
        return "desktop";
    }
    match hints.platform.as_str() {
        "windows" | "macos" | "linux" | "chrome os" | "chromeos" => "desktop",
        _ => OTHER,
    }
}

fn android(agent: &str, hints: &Read, named_tablet: bool) -> &'static str {
    let silk = agent.contains("; kf") || agent.contains("silk/");
    match hints.mobile {
        _ if named_tablet || silk => "tablet",
        Some(true) => "phone",
        // What says that it is an Android without Mobile is a tablet; Dex and Chromebooks say Linux and CrOS.
        Some(false) => "tablet",
        None if agent.contains("mobile")
            || agent.contains("opera mini")
            || agent.contains("dalvik/")
            || agent.contains("phone") =>
        {
            "phone"
        }
        None => "tablet",
    }
}

fn is_fire_television(agent: &str) -> bool {
    let models = agent.match_indices(FIRE_TELEVISION).map(|(at, _)| at);
    let mut models = models.filter(|at| agent[..*at].ends_with("; ") || agent[..*at].ends_with(';'));
    models.any(|at| {
        let model = agent[at..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        (4..=9).contains(&model.len())
    })
}

/// Systems in the order in which they are looked for.
const SYSTEMS: &[(&str, &str)] = &[
    ("kindle/", "Linux"),
    ("windows phone", "Windows Phone"),
    ("xbox", "Xbox"),
    ("playstation", "PlayStation"),
    ("nintendo", "Nintendo"),
    ("tvos", "tvOS"),
    ("apple tv", "tvOS"),
    ("appletv", "tvOS"),
    ("watchos", "watchOS"),
    ("apple watch", "watchOS"),
    ("visionos", "visionOS"),
    ("kaios", "KaiOS"),
    ("harmonyos", "HarmonyOS"),
    ("openharmony", "HarmonyOS"),
    ("tizen", "Tizen"),
    ("web0s", "webOS"),
    ("webos", "webOS"),
    ("hpwos", "webOS"),
    ("netcast", "webOS"),
    ("vidaa", "VIDAA"),
    ("titanos", "Titan OS"),
    ("roku", "Roku OS"),
    ("crkey", "Cast OS"),
    ("fuchsia", "Fuchsia"),
    ("symbian", "Symbian"),
    ("series60", "Symbian"),
    ("series40", "Series 40"),
    ("bada", "bada"),
    ("sailfish", "Sailfish OS"),
    ("meego", "MeeGo"),
    ("maemo", "Maemo"),
    ("blackberry", "BlackBerry"),
    ("bb10", "BlackBerry"),
    ("playbook", "BlackBerry"),
    ("windows", "Windows"),
    ("android", "Android"),
    ("adr ", "Android"),
    ("ipad", "iPadOS"),
    ("iphone", "iOS"),
    ("ipod", "iOS"),
    ("cros", "ChromeOS"),
    ("macintosh", "macOS"),
    ("mac os", "macOS"),
    ("mac_powerpc", "macOS"),
    ("freebsd", "FreeBSD"),
    ("openbsd", "OpenBSD"),
    ("netbsd", "NetBSD"),
    ("dragonfly", "DragonFly"),
    ("sunos", "Solaris"),
    ("haiku", "Haiku"),
    ("amiga", "AmigaOS"),
    ("morphos", "MorphOS"),
    ("aros", "AROS"),
    ("hbbtv", "Linux"),
    ("linux", "Linux"),
    ("x11", "Linux"),
    ("ubuntu", "Linux"),
    ("midp", "Java ME"),
];

/// The system.
pub(super) fn system(agent: &str, hints: &Read) -> &'static str {
    if agent.contains("macintosh") && agent.contains("mobile/") && !agent.contains("iphone") {
        return "iPadOS";
    }
    if is_fire(agent) {
        return "Fire OS";
    }
    let named = SYSTEMS.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    named.unwrap_or(match hints.platform.as_str() {
        "windows" => "Windows",
        "macos" => "macOS",
        "android" => "Android",
        "ios" => "iOS",
        "chrome os" | "chromeos" => "ChromeOS",
        "linux" => "Linux",
        _ => OTHER,
    })
}

fn is_fire(agent: &str) -> bool {
    agent.contains("android")
        && (agent.contains("silk/") || agent.contains("; kf") || is_fire_television(agent))
}
