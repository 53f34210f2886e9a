//! Tokens: kept by kind, taken once, ending by themselves.

use super::{Random, Store, at};
use crate::store::tokens::{KEPT, Token, TokenId, TokenKind};

/// A token of this secret, made `seconds` after the begin and valid for 1,000 more.
#[must_use]
pub fn token(kind: TokenKind, secret: &str, owner: &str, seconds: i64) -> Token {
    Token {
        kind,
        id: TokenId::of(secret),
        owner: owner.into(),
        value: serde_json::json!({ "agent": "It's \"a\" browser", "n": 1 }),
        created_at: at(seconds),
        expires_at: at(seconds + 1_000),
        seen_at: at(seconds),
    }
}

async fn put(store: &Store, token: &Token) {
    store.tokens.put(token.clone()).await.unwrap();
}

/// As they were put; one kind's are not another's, nor is any other id.
pub async fn tokens_are_kept_by_kind(store: &Store) {
    let session = token(TokenKind::Session, "a", "user:Maria", 0);
    put(store, &session).await;
    assert_eq!(store.tokens.get(TokenKind::Session, session.id, at(1)).await.unwrap(), Some(session.clone()));
    for kind in [TokenKind::SignIn, TokenKind::Screen, TokenKind::Share] {
        assert_eq!(store.tokens.get(kind, session.id, at(1)).await.unwrap(), None);
        assert_eq!(store.tokens.take(kind, session.id, at(1)).await.unwrap(), None);
    }
    assert_eq!(store.tokens.get(TokenKind::Session, TokenId::of("b"), at(1)).await.unwrap(), None);
    let link = Token { owner: "user:anna".into(), ..token(TokenKind::SignIn, "a", "", 5) };
    put(store, &link).await;
    assert_eq!(store.tokens.get(TokenKind::SignIn, link.id, at(6)).await.unwrap(), Some(link));
    assert_eq!(store.tokens.get(TokenKind::Session, session.id, at(1)).await.unwrap(), Some(session));
}

/// Not valid at its end, whether or not anybody swept.
pub async fn tokens_end(store: &Store) {
    let (first, second) =
        (token(TokenKind::Share, "a", "user:m", 0), token(TokenKind::Share, "b", "user:m", 500));
    put(store, &first).await;
    put(store, &second).await;
    for swept in [false, true] {
        if swept {
            store.tokens.sweep(at(1_000)).await.unwrap();
        }
        assert_eq!(store.tokens.get(TokenKind::Share, first.id, at(1_000)).await.unwrap(), None);
        assert_eq!(
            store.tokens.list(TokenKind::Share, None, at(1_000)).await.unwrap(),
            std::slice::from_ref(&second)
        );
    }
    // Also for a clock that is behind: it is gone.
    assert_eq!(store.tokens.get(TokenKind::Share, first.id, at(1)).await.unwrap(), None);
    assert_eq!(store.tokens.take(TokenKind::Share, second.id, at(1_500)).await.unwrap(), None);
}

/// Of many who take one at once, one gets it.
pub async fn a_token_is_taken_once(store: &Store) {
    let link = token(TokenKind::SignIn, "a", "user:Maria", 0);
    put(store, &link).await;
    let takes = (0..20).map(|_| store.tokens.take(TokenKind::SignIn, link.id, at(1)));
    let got: Vec<Token> =
        futures_util::future::join_all(takes).await.into_iter().filter_map(|took| took.unwrap()).collect();
    assert_eq!(got, std::slice::from_ref(&link));
    assert_eq!(store.tokens.get(TokenKind::SignIn, link.id, at(1)).await.unwrap(), None);
    assert!(store.tokens.list(TokenKind::SignIn, None, at(1)).await.unwrap().is_empty());
}

/// Forwards only, and never brings a removed one back.
pub async fn use_is_noted(store: &Store) {
    let session = token(TokenKind::Session, "a", "user:Maria", 0);
    put(store, &session).await;
    let seen = async |at_s| {
        store.tokens.touch(TokenKind::Session, session.id, at(at_s)).await.unwrap();
        store.tokens.get(TokenKind::Session, session.id, at(1)).await.unwrap()
    };
    assert_eq!(seen(50).await, Some(Token { seen_at: at(50), ..session.clone() }));
    assert_eq!(seen(40).await, Some(Token { seen_at: at(50), ..session.clone() }));
    store.tokens.remove(TokenKind::Session, session.id).await.unwrap();
    store.tokens.remove(TokenKind::Session, session.id).await.unwrap();
    assert_eq!(seen(60).await, None);
}

/// One owner's, or all, newest first; removed by owner and kind.
pub async fn an_owners_tokens_are_listed_and_removed(store: &Store) {
    let (a, b) =
        (token(TokenKind::Session, "a", "user:Maria", 1), token(TokenKind::Session, "b", "user:anna", 2));
    let (c, d) =
        (token(TokenKind::Session, "c", "user:Maria", 3), token(TokenKind::Share, "d", "user:Maria", 4));
    for token in [&a, &b, &c, &d] {
        put(store, token).await;
    }
    let list = async |kind, owner| store.tokens.list(kind, owner, at(5)).await.unwrap();
    assert_eq!(list(TokenKind::Session, None).await, [c.clone(), b.clone(), a.clone()]);
    assert_eq!(list(TokenKind::Session, Some("user:Maria")).await, [c, a]);
    assert!(list(TokenKind::Session, Some("user:maria")).await.is_empty(), "owners are spelt one way");
    store.tokens.remove_of(&[TokenKind::Session, TokenKind::SignIn], "user:Maria").await.unwrap();
    assert_eq!(list(TokenKind::Session, None).await, [b]);
    assert_eq!(list(TokenKind::Share, None).await, [d]);
    store.tokens.remove_of(&TokenKind::ALL, "user:Maria").await.unwrap();
    assert!(list(TokenKind::Share, None).await.is_empty());
}

/// The one that would end first goes, whenever it was put.
pub async fn tokens_are_bounded(store: &Store) {
    let mut random = Random(7);
    let mut first = None;
    let puts: Vec<Token> = (0..=KEPT)
        .map(|n| {
            let seconds = i64::try_from(random.below(1_000_000)).unwrap() + 10;
            let made = token(TokenKind::Session, &format!("s{n}"), "user:m", 0);
            Token { expires_at: at(2_000 + seconds * 20_000 + i64::try_from(n).unwrap()), ..made }
        })
        .collect();
    for some in puts.chunks(200) {
        futures_util::future::join_all(some.iter().map(|token| put(store, token))).await;
    }
    for token in &puts {
        if first.as_ref().is_none_or(|f: &Token| token.expires_at < f.expires_at) {
            first = Some(token.clone());
        }
    }
    let kept = store.tokens.list(TokenKind::Session, None, at(1)).await.unwrap();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(store.tokens.get(TokenKind::Session, first.unwrap().id, at(1)).await.unwrap(), None);
}
