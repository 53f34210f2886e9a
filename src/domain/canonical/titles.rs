//! Whether two titles are of one story.
//!
//! An address that pages with different titles claim as their own is none of theirs: a home page, a template's
//! mistake. Pure; in doubt (no title, or none with a letter in it) nothing speaks against it.

/// What stands between a title and the name of the site behind it.
const BEFORE_SITE: [&str; 8] = [" | ", " - ", " – ", " — ", " · ", " :: ", " • ", " » "];

/// True unless both titles are known and differ in more than case, white space, punctuation, and a site's name
/// behind one of them.
#[must_use]
pub fn same_story(known: Option<&str>, read: Option<&str>) -> bool {
    let (Some(known), Some(read)) = (known, read) else { return true };
    let (whole_known, whole_read) = (words(known), words(read));
    if whole_known.is_empty() || whole_read.is_empty() || whole_known == whole_read {
        return true;
    }
    // Of one title only: "Weather - Monday" and "Weather - Tuesday" are two stories.
    let short = |title: &str| without_site(title).map(words);
    short(known).is_some_and(|short| short == whole_read)
        || short(read).is_some_and(|short| short == whole_known)
}

/// Letters and digits in lower case, with one space where there was anything else.
fn words(title: &str) -> String {
    let mut out = String::with_capacity(title.len());
    for part in title.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(part.chars().flat_map(char::to_lowercase));
    }
    out
}

fn without_site(title: &str) -> Option<&str> {
    let last = BEFORE_SITE.iter().filter_map(|between| title.rfind(between)).max()?;
    title.get(..last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_one_story() {
        let same = [
            ("River rises", "River rises"),
            ("River rises", "RIVER  RISES"),
            ("River rises", "River rises | The Courier"),
            ("River rises – The Courier", "River rises"),
            ("It’s “over”, they say", "It's \"over\" they say"),
            ("Über die Flüsse", "ÜBER DIE FLÜSSE"),
            ("日本の川", " 日本の川 "),
            ("…", "River rises"),
        ];
        for (known, read) in same {
            assert!(same_story(Some(known), Some(read)), "{known} / {read}");
            assert!(same_story(Some(read), Some(known)), "{read} / {known}");
        }
        let different = [
            ("River rises", "River falls"),
            ("River rises", "River rises again"),
            ("Weather - Monday", "Weather - Tuesday"),
            ("日本の川", "日本の山"),
            ("Breaking: River rises", "Breaking: Bridge falls"),
        ];
        for (known, read) in different {
            assert!(!same_story(Some(known), Some(read)), "{known} / {read}");
            assert!(!same_story(Some(read), Some(known)), "{read} / {known}");
        }
        assert!(same_story(None, Some("a")) && same_story(Some("a"), None) && same_story(None, None));
    }
}
