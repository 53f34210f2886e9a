//! What a request says of its reader besides the address.
//!
//! Guarantees that nothing is copied to the heap, and that what says more than reports use is cut before it is kept.
//! Knows headers; what they mean is `hits/`'s.

use http::HeaderName;

use super::headers::Headers;
use crate::hits::classify::hints::Hints;

const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");
const X_MOZ: HeaderName = HeaderName::from_static("x-moz");
const DNT: HeaderName = HeaderName::from_static("dnt");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");
const SEC_CH_UA: HeaderName = HeaderName::from_static("sec-ch-ua");
const SEC_CH_UA_MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");
const SEC_CH_UA_PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// True if the browser loads ahead.
pub(super) fn is_prefetch(headers: Headers<'_>) -> bool {
    let says = |name: &HeaderName| {
        let value = headers.get(name);
        let has = |word: &[u8]| value.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
        has(b"prefetch") || has(b"preview")
    };
    says(&SEC_PURPOSE) || says(&PURPOSE) || says(&X_MOZ)
}

/// True for `DNT: 1` or `Sec-GPC: 1`: then nobody is told apart.
pub(super) fn asks_not_to_be_followed(headers: Headers<'_>) -> bool {
    headers.get(&DNT) == b"1" || headers.get(&SEC_GPC) == b"1"
}

/// Client hints, packed where there are any.
pub(super) fn hints(headers: Headers<'_>) -> Hints {
    let app = headers.get(&X_REQUESTED_WITH);
    // A browser sends the three together or none of them.
    if app.is_empty() && !headers.has(&SEC_CH_UA) {
        return Hints::NONE;
    }
    Hints::pack([
        headers.get(&SEC_CH_UA),
        headers.get(&SEC_CH_UA_MOBILE),
        headers.get(&SEC_CH_UA_PLATFORM),
        app,
    ])
}

/// Scheme and host of a referrer: all that reports use of it, and all that is kept.
pub(super) fn origin(referrer: &[u8]) -> &[u8] {
    let Some(scheme) = referrer.windows(3).position(|w| w == b"://") else { return b"" };
    let host = scheme + 3;
    let end = referrer[host..].iter().position(|b| matches!(b, b'/' | b'?' | b'#' | b'\\'));
    let origin = &referrer[..end.map_or(referrer.len(), |e| host + e)];
    // Whoever puts a name and password into an address does not want them kept.
    if origin.contains(&b'@') { b"" } else { origin }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn referrers_are_cut() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"https://www.facebook.com/story?id=1", b"https://www.facebook.com"),
            (b"https://t.co", b"https://t.co"),
            (b"android-app://com.google.android.gm/", b"android-app://com.google.android.gm"),
            (b"https://me:secret@intranet.example/x", b""),
            (b"nonsense", b""),
            (b"", b""),
        ];
        for (referrer, expected) in table {
            assert_eq!(origin(referrer), expected, "{}", String::from_utf8_lossy(referrer));
        }
    }

    #[test]
    fn who_asks_is_not_followed() {
        assert!(asks_not_to_be_followed(Headers::from(&headers(&[("dnt", "1")]))));
        assert!(asks_not_to_be_followed(Headers::from(&headers(&[("sec-gpc", "1"), ("dnt", "0")]))));
        assert!(!asks_not_to_be_followed(Headers::from(&headers(&[
            ("sec-gpc", "0"),
            ("dnt", "unspecified")
        ]))));
        assert!(!asks_not_to_be_followed(Headers::from(&headers(&[]))));
    }

    #[test]
    fn hints_and_purposes_are_read() {
        assert!(hints(Headers::from(&headers(&[("sec-ch-ua-mobile", "?1")]))).as_bytes().is_empty());
        let app = hints(Headers::from(&headers(&[("x-requested-with", "com.facebook.katana")])));
        assert_eq!(app.as_bytes(), b"\n\n\ncom.facebook.katana");
        let all = [("sec-ch-ua", "\"A\""), ("sec-ch-ua-mobile", "?1"), ("sec-ch-ua-platform", "\"Android\"")];
        assert_eq!(hints(Headers::from(&headers(&all))).as_bytes(), b"\"A\"\n?1\n\"Android\"\n");
        assert!(is_prefetch(Headers::from(&headers(&[("sec-purpose", "Prefetch;prerender")]))));
        assert!(
            is_prefetch(Headers::from(&headers(&[("purpose", "preview")])))
                && !is_prefetch(Headers::from(&headers(&[("x-moz", "x")])))
        );
    }
}
