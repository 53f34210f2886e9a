//! Signatures as Standard Webhooks writes them, so that receivers can check them with libraries that are there.
//!
//! Pure: secret, id, time and body in, text out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// What every secret begins with, so that scanners for leaked secrets can find it.
pub const PREFIX: &str = "whsec_";
/// Random bytes of a secret.
pub const BYTES: usize = 32;

/// A secret as it is shown, from its bytes.
#[must_use]
pub fn secret(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", BASE64.encode(bytes))
}

/// The `webhook-signature` of a message; None for a secret that is none.
#[must_use]
pub fn signature(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = BASE64.decode(secret.strip_prefix(PREFIX)?).ok().filter(|key| !key.is_empty())?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", BASE64.encode(context.sign())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // Made with openssl: printf 'msg_1.1600000000.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:...
        let secret = secret(b"0123456789abcdef0123456789abcdef");
        let signed = signature(&secret, "msg_1", 1_600_000_000, br#"{"a":1}"#);
        assert_eq!(signed.as_deref(), Some(EXPECTED));
        assert_ne!(signature(&secret, "msg_2", 1_600_000_000, br#"{"a":1}"#), signed);
        assert_ne!(signature(&secret, "msg_1", 1_600_000_001, br#"{"a":1}"#), signed);
        assert_ne!(signature(&secret, "msg_1", 1_600_000_000, br#"{"a":2}"#), signed);
        for bad in ["", "whsec_", "whsec_%%", "c2VjcmV0"] {
            assert_eq!(signature(bad, "msg_1", 0, b""), None, "{bad}");
        }
    }

    const EXPECTED: &str = "v1,6zIP+MALpq3Al6yEe7v8XANcudHMYXFfcGKspHvo9mI=";
}
