//! QR codes: what is in them.

use std::collections::HashSet;

use qrcodegen::{QrCode, QrCodeEcc};

use crate::harness::{TestApp, json};

/// The dark modules of a QR code of this text, as an SVG with a margin of `margin` modules has them.
fn modules(text: &str, margin: i32) -> HashSet<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
    let all = 0..code.size();
    let dark =
        all.clone().flat_map(|y| all.clone().map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    dark.map(|(x, y)| format!("{},{}", x + margin, y + margin)).collect()
}

#[tokio::test]
async fn they_hold_the_address_in_upper_case_where_the_code_allows_it() {
    let app = TestApp::start_with(|c| c.server.public_url = "https://sl.example".into()).await;
    let table = [
        ("kx7dw4m", "HTTPS://SL.EXAMPLE/KX7DW4M.Q"),
        ("Night-Desk", "https://sl.example/Night-Desk.q"),
        ("night_desk", "https://sl.example/night_desk.q"),
    ];
    for (code, address) in table {
        app.create(json!({ "url": "https://news.example.com/a", "code": code })).await;
        let svg = app.get(&format!("/links/{code}/qr.svg?margin=2")).await.expect(200);
        assert_eq!(svg.header("content-type"), "image/svg+xml");
        let text = svg.text();
        let drawn: HashSet<String> =
            text.split('M').skip(1).filter_map(|m| m.split('h').next()).map(str::to_owned).collect();
        assert_eq!(drawn, modules(address, 2), "{code}");
        // The address in the picture leads to the link.
        let path = address.rsplit('/').next().unwrap();
        app.follow(path).await.expect(302);
    }
}

#[tokio::test]
async fn pictures_have_their_size() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let png = app.get(&format!("/links/{code}/qr.png?size=300")).await.expect(200);
    assert_eq!(png.header("content-type"), "image/png");
    let reader = png::Decoder::new(std::io::Cursor::new(png.body.to_vec())).read_info().unwrap();
    let (width, height) = (reader.info().width, reader.info().height);
    assert!(width == height && (200..=300).contains(&width), "{width} x {height}");
    for (query, code_, field) in [
        ("size=31", "out_of_range", "size"),
        ("size=x", "wrong_type", "size"),
        ("margin=33", "out_of_range", "margin"),
    ] {
        let answer = app.get(&format!("/links/{code}/qr.svg?{query}")).await;
        answer.expect_problem(422, code_, Some(field));
    }
    app.get("/links/nowhere/qr.png").await.expect_problem(404, "not_found", None);
}
