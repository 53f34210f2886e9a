//! QR codes of short URLs.
//!
//! A QR code holds the address in upper case where the code allows it: upper-case letters, digits and `:/.-` take
//! 5.5 bits each instead of 8, so that the code is coarser and scans from further away (ISO/IEC 18004, 7.4.4).

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use qrcodegen::{QrCode, QrCodeEcc};

use super::query::{Name, Params};
use crate::domain::link::Link;
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::{Error, Result};

/// Characters of QR's alphanumeric mode.
const COARSE: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// The address in a link's QR code.
#[must_use]
pub fn address(public_url: &str, link: &Link) -> String {
    let code = link.code.as_str();
    let upper = format!("{public_url}/{code}.Q").to_ascii_uppercase();
    let folded = !code.bytes().any(|b| b.is_ascii_uppercase());
    match folded && upper.bytes().all(|b| COARSE.contains(&b)) {
        true => upper,
        false => format!("{public_url}/{code}.q"),
    }
}

struct Drawing {
    modules: QrCode,
    /// Whole picture, in pixels.
    size: usize,
    /// Quiet zone, in modules.
    margin: usize,
}

async fn drawing(state: &State, code: &str, mut params: Params) -> Result<Drawing> {
    let size = params.number("size", 32, 2_048, 512)?;
    let margin = params.number("margin", 0, 32, 4)?;
    params.end()?;
    let found = state.links.get(code).await?;
    let text = address(&state.public_url, &found.link);
    let modules = QrCode::encode_text(&text, QrCodeEcc::Medium).map_err(|error| {
        tracing::error!(%error, "a QR code could not be made");
        Error::Internal
    })?;
    Ok(Drawing { modules, size, margin })
}

/// A link's QR code as SVG.
#[utoipa::path(get, path = "/api/v1/links/{code}/qr.svg", tag = "links",
    params(("code" = String, Path), ("size" = Option<u32>, Query, description = "Pixels, 32 to 2048, default 512"),
        ("margin" = Option<u32>, Query, description = "Modules, 0 to 32, default 4")),
    responses((status = 200, content_type = "image/svg+xml")))]
pub async fn svg(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    Name(code): Name,
    params: Params,
) -> Result<Response> {
    let d = drawing(&state, &code, params).await?;
    let across = d.modules.size();
    let margin = i32::try_from(d.margin).unwrap_or(0);
    let mut path = String::new();
    for y in 0..across {
        for x in (0..across).filter(|x| d.modules.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + margin, y + margin));
        }
    }
    let all = across + 2 * margin;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{0}\" viewBox=\"0 0 {all} {all}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{all}\" height=\"{all}\" fill=\"#fff\"/><path d=\"{path}\"/></svg>",
        d.size
    );
    Ok(picture("image/svg+xml", svg.into_bytes()))
}

/// A link's QR code as PNG. The picture is as large as whole modules fit into `size`.
#[utoipa::path(get, path = "/api/v1/links/{code}/qr.png", tag = "links",
    params(("code" = String, Path), ("size" = Option<u32>, Query, description = "Pixels, 32 to 2048, default 512"),
        ("margin" = Option<u32>, Query, description = "Modules, 0 to 32, default 4")),
    responses((status = 200, content_type = "image/png")))]
pub async fn png(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    Name(code): Name,
    params: Params,
) -> Result<Response> {
    let d = drawing(&state, &code, params).await?;
    let bytes = encode_png(&d).map_err(|error| {
        tracing::error!(%error, "a QR code could not be encoded");
        Error::Internal
    })?;
    Ok(picture("image/png", bytes))
}

fn encode_png(d: &Drawing) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let modules = usize::try_from(d.modules.size()).unwrap_or(0) + 2 * d.margin;
    let scale = (d.size / modules.max(1)).max(1);
    let across = modules * scale;
    let is_dark = |x: usize, y: usize| {
        let module = |p: usize| i32::try_from(p / scale).unwrap_or(0) - i32::try_from(d.margin).unwrap_or(0);
        d.modules.get_module(module(x), module(y))
    };
    let mut rows = vec![0u8; across * across.div_ceil(8)];
    for y in 0..across {
        for x in (0..across).filter(|x| !is_dark(*x, y)) {
            rows[y * across.div_ceil(8) + x / 8] |= 0x80 >> (x % 8);
        }
    }
    let mut bytes = vec![];
    let across = u32::try_from(across).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut bytes, across, across);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(bytes)
}

fn picture(kind: &'static str, bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=3600")], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    #[test]
    fn addresses() {
        assert_eq!(address("https://sl.example", &link("kx7dw4m")), "HTTPS://SL.EXAMPLE/KX7DW4M.Q");
        assert_eq!(address("https://sl.example", &link("Night")), "https://sl.example/Night.q");
        assert_eq!(address("https://sl.example", &link("a_b")), "https://sl.example/a_b.q");
    }

    #[test]
    fn pictures() {
        let modules = QrCode::encode_text("HTTPS://SL.EXAMPLE/KX7DW4M.Q", QrCodeEcc::Medium).unwrap();
        let across = usize::try_from(modules.size()).unwrap() + 8;
        let bytes = encode_png(&Drawing { modules, size: 512, margin: 4 }).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        assert_eq!(reader.info().width % u32::try_from(across).unwrap(), 0);
        assert!((400..=512).contains(&reader.info().width));
    }
}
