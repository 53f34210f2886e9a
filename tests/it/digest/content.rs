//! What a digest says, and what it never says.

use mail_parser::{Message, MessageParser};

use super::{count, is_due, yesterday};
use crate::harness::smtp::{Mail, Mood, Smtp};
use crate::harness::{TestApp, json};
use crate::sessions::browser::{Browser, add_user};

fn read(mail: &Mail) -> Message<'_> {
    MessageParser::default().parse(&mail.data).expect("it is a mail")
}

#[tokio::test]
async fn a_digest_says_what_was_read_yesterday() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| {
        smtp.configure(config);
        config.newsroom.name = "Die Pöst".into();
    })
    .await;
    add_user(&app, "Ana", "viewer").await;
    for (code, title, section) in
        [("tram", "Council approves tram line", "City"), ("bold", "<b>Bold</b>\u{2028}claim", "Wörld")]
    {
        let article = json!({ "title": title, "section": section });
        app.create(
            json!({ "url": format!("https://news.example.com/{code}"), "code": code, "article": article }),
        )
        .await;
    }
    count(&app.config, yesterday() - 7, &[("tram", "City", 400)], "WhatsApp").await;
    count(&app.config, yesterday(), &[("tram", "City", 1_200), ("bold", "Wörld", 34)], "Whats<i>App").await;
    is_due(&app.config, "Ana", "ana@post.example").await;

    let mails = smtp.wait(1).await;
    assert_eq!(
        (mails[0].from.as_str(), &mails[0].to[..]),
        ("digest@post.example", &["ana@post.example".into()][..])
    );
    let mail = read(&mails[0]);
    let (subject, text, html) =
        (mail.subject().unwrap(), mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
    assert!(subject.starts_with("Die Pöst: 1,234 clicks, "), "{subject}");
    assert_eq!((mail.text_body_count(), mail.html_body_count(), mail.attachment_count()), (1, 1, 0));
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("ana@post.example"));
    assert_eq!(mail.from().unwrap().first().unwrap().name(), Some("The Post"));
    for said in ["1,234", "(3.0 ×)", "617", "Council approves tram line", "City: 1,200", "Wörld: 34", "UTC"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains("<b>Bold</b> ") && !html.contains("<b>"), "{text}");
    assert!(html.contains("&#60;b&#62;Bold") && html.contains("Whats&#60;i&#62;App"), "{html}");
    assert!(!html.contains("<img") && !html.contains("http-equiv"), "{html}");
    let staff = format!("http://{}/-/", app.http.address());
    let addresses: Vec<&str> =
        html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(addresses.len() > 4 && addresses.iter().all(|url| url.starts_with(&staff)), "{addresses:?}");
    assert!(mail.header_raw("List-Unsubscribe").unwrap().contains("/-/digest/end?token="));
    assert_eq!(mail.header_raw("List-Unsubscribe-Post").unwrap().trim(), "List-Unsubscribe=One-Click");
    assert_eq!(mail.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    assert!(mail.message_id().unwrap().starts_with("digest.") && mail.date().is_some());
    assert!(mail.bcc().is_none() && mail.cc().is_none());
}

#[tokio::test]
async fn nothing_confidential_withdrawn_or_redacted_is_in_it() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    let story = |code: &str, title: &str| {
        json!({ "url": format!("https://news.example.com/{code}"), "code": code,
            "article": { "title": title, "section": "City" } })
    };
    app.create(story("open", "An open story")).await;
    let secret = json!({ "confidential": true, "not_before": "2099-01-01T00:00:00Z" });
    let mut hidden = story("hidden", "Hidden scoop");
    hidden.as_object_mut().unwrap().extend(secret.as_object().unwrap().clone());
    // Its maker is an admin and gets the digest: not even they find it there.
    maria.post("/links", &hidden).await.expect(201);
    let withdrawn = app.create(story("gone", "Withdrawn scoop")).await;
    let redacted = app.create(story("blank", "Redacted scoop")).await;
    let links = [("open", "City", 5), ("hidden", "", 70), ("gone", "", 60), ("blank", "", 50)];
    count(&app.config, yesterday(), &links, "X").await;
    let id = |link: &crate::harness::Value| link["article"]["id"].as_str().unwrap().to_owned();
    let version = app.get(&format!("/articles/{}", id(&withdrawn))).await.json()["version"].clone();
    let change = json!({ "withdrawn": true, "version": version });
    app.patch(&format!("/articles/{}", id(&withdrawn)), &change).await.expect(200);
    app.post(&format!("/articles/{}/redact", id(&redacted)), &json!({})).await.expect(200);
    is_due(&app.config, "Maria", "maria@post.example").await;
    let mails = smtp.wait(1).await;
    let mail = read(&mails[0]);
    for part in [mail.body_text(0).unwrap(), mail.body_html(0).unwrap(), mail.subject().unwrap().into()] {
        assert!(!part.to_lowercase().contains("scoop") && !part.contains("hidden"), "{part}");
    }
    let text = mail.body_text(0).unwrap();
    assert!(text.contains("1. An open story") && !text.contains("\n2. "), "{text}");
    assert!(text.contains("Clicks: 185"), "numbers of all are numbers: {text}");
}
