//! AMP: copies of a page in caches, and paths of AMP makes.
//!
//! Pure text: an address of a cache says which page it is a copy of, and a path says that it is an AMP make. What
//! could be either (a story about amplifiers) is left alone.

use url::Url;

/// The page that an address of an AMP cache is a copy of; None if it is no such address.
pub(super) fn behind_cache(url: &Url) -> Option<Url> {
    let host = url.host_str()?.trim_end_matches('.');
    let mut segments = url.path_segments()?;
    let first = segments.next()?;
    let is_copy = match () {
        () if is_google(host) => first == "amp",
        () if is_cache(host) => matches!(first, "c" | "v" | "wp" | "s" | "r"),
        () => false,
    };
    if !is_copy {
        return None;
    }
    let mut rest: Vec<&str> = segments.collect();
    let scheme = match rest.first() {
        Some(&"s") => {
            rest.remove(0);
            "https"
        }
        _ => "http",
    };
    rest.first().filter(|host| host.contains('.') && !host.contains('@'))?;
    let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
    let fragment = url.fragment().map(|f| format!("#{f}")).unwrap_or_default();
    let page = Url::parse(&format!("{scheme}://{}{query}{fragment}", rest.join("/"))).ok()?;
    Some(page).filter(|page| page.username().is_empty() && page.password().is_none())
}

fn is_google(host: &str) -> bool {
    let host = host.strip_prefix("www.").unwrap_or(host);
    host.strip_prefix("google.").is_some_and(|rest| rest.len() <= 6)
}

fn is_cache(host: &str) -> bool {
    ["cdn.ampproject.org", "bing-amp.com"]
        .iter()
        .any(|cache| host.strip_suffix(cache).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Takes what makes a path an AMP path out of it. True if there was anything.
pub(super) fn plain_path(segments: &mut Vec<String>) -> bool {
    let before = segments.len();
    if before > 1 {
        // One that is all there is may be a section about it.
        let is_marker =
            |s: &String| matches!(s.to_ascii_lowercase().as_str(), "amp" | "amphtml" | "amp-page");
        let markers = segments.iter().filter(|s| is_marker(s)).count();
        if markers < before {
            segments.retain(|s| !is_marker(s));
        }
    }
    let shorter = segments.last().and_then(|last| plain_name(last));
    let mut changed = segments.len() != before;
    if let (Some(shorter), Some(last)) = (shorter, segments.last_mut()) {
        *last = shorter;
        changed = true;
    }
    changed
}

/// The last part of a path without its AMP ending; None if it has none.
fn plain_name(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    for (ending, instead) in
        [(".amp.html", ".html"), (".amp.htm", ".htm"), (".amp", ""), (".amphtml", ""), ("_amp.html", ".html")]
    {
        if lower.ends_with(ending) && lower.len() > ending.len() {
            return name.get(..name.len() - ending.len()).map(|stem| format!("{stem}{instead}"));
        }
    }
    let stem = lower.strip_suffix("-amp")?;
    // Only after what looks like a number of the CMS's: a guitar-amp is a guitar amp, and 65-amp a fuse.
    let word = stem.rsplit('-').next().unwrap_or_default();
    let is_number = word.len() >= 5 && word.bytes().any(|b| b.is_ascii_digit());
    name.get(..stem.len()).filter(|_| is_number).map(str::to_owned)
}

/// True for a fragment that Google's viewer adds and that is no place in the page.
pub(super) fn is_viewers(fragment: &str) -> bool {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let known = |name: &str| {
        name.starts_with("amp_") || matches!(name, "aoh" | "csi" | "referrer" | "ampshare" | "ampcf" | "usqp")
    };
    fragment.contains('=') && fragment.split('&').all(|pair| known(&name(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches() {
        let table = [
            ("https://www.google.com/amp/s/www.a.test/x?b=1#c", Some("https://www.a.test/x?b=1#c")),
            ("https://google.co.uk/amp/www.a.test/x", Some("http://www.a.test/x")),
            ("https://www-a-test.cdn.ampproject.org/c/s/www.a.test/x", Some("https://www.a.test/x")),
            ("https://cdn.ampproject.org/v/a.test/x?amp_js_v=1", Some("http://a.test/x?amp_js_v=1")),
            ("https://www-a-test.bing-amp.com/c/s/www.a.test/x", Some("https://www.a.test/x")),
            ("https://www.google.com/search?q=amp", None),
            ("https://www.google.com/amp/", None),
            ("https://www.google.com/amp/s/user@a.test/", None),
            ("https://www.google.com/amp/s/localhost/", None),
            ("https://google.evil.example/amp/s/a.test/x", None),
            ("https://notcdn.ampproject.org/c/s/a.test/x", None),
            ("https://www-a-test.cdn.ampproject.org/i/s/a.test/x.jpg", None),
        ];
        for (url, page) in table {
            let found = behind_cache(&Url::parse(url).unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), page, "{url}");
        }
    }

    #[test]
    fn paths() {
        let table = [
            ("a/amp", "a"),
            ("amp/a", "a"),
            ("news/amp/world-5", "news/world-5"),
            ("a/AMPHTML/b", "a/b"),
            ("amp", "amp"),
            ("amp/amp", "amp/amp"),
            ("a/b.amp.html", "a/b.html"),
            ("a/b.amp", "a/b"),
            ("a/story-1234567-amp", "a/story-1234567"),
            ("a/guitar-amp", "a/guitar-amp"),
            ("a/fuse-of-65-amp", "a/fuse-of-65-amp"),
            (".amp", ".amp"),
        ];
        for (path, expected) in table {
            let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
            let changed = plain_path(&mut segments);
            assert_eq!(segments.join("/"), expected, "{path}");
            assert_eq!(changed, path != expected, "{path}");
        }
    }

    #[test]
    fn fragments_of_the_viewer() {
        assert!(is_viewers("referrer=https%3A%2F%2Fwww.google.com&amp_tf=From%20%251%24s"));
        assert!(!is_viewers("block-9") && !is_viewers("page=2") && !is_viewers(""));
    }
}
