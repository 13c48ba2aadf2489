//! The rules of changing users, tokens and sessions.

use super::*;

fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn grant(role: Role) -> Grant {
    Grant { role, cameras: None }
}

/// `owner` is an admin, `guard` an operator.
fn book() -> Book {
    let mut book = Book::default();
    book.add_user("owner", "hash".into(), grant(Role::Admin), now()).unwrap();
    book.add_user("guard", "hash".into(), grant(Role::Operator), now()).unwrap();
    book
}

fn session(book: &mut Book, username: &str) -> Principal {
    let digest = format!("digest-{username}-{}", book.sessions.len());
    book.begin_session(username, digest.clone(), now());
    book.session(&digest, now()).unwrap()
}

fn token(role: Role) -> NewToken {
    NewToken { name: "home".into(), role, cameras: None, expires_at: None }
}

fn add_token(book: &mut Book, maker: &Principal, new: &NewToken) -> Result<Ulid, AccessError> {
    let id = Ulid::generate();
    book.add_token(maker, new, id, format!("digest-{id}"), now()).map(|()| id)
}

fn by_token(book: &Book, id: Ulid) -> Option<Principal> {
    Some(book.token(&format!("digest-{id}"), now())?.1)
}

#[test]
fn there_is_always_an_admin() {
    let mut book = book();
    let demote = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let limit = UserChange { cameras: Some(Some(vec!["front".into()])), ..UserChange::default() };
    for refused in [
        book.clone().change_user("owner", &demote),
        book.clone().change_user("owner", &limit),
        book.clone().remove_user("owner"),
    ] {
        assert!(matches!(refused, Err(AccessError::LastAdmin(name)) if name == "owner"));
    }
    let promote = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    book.change_user("guard", &promote).unwrap();
    book.remove_user("owner").unwrap();
    assert_eq!(book.users.len(), 1);
}

#[test]
fn a_token_may_do_no_more_than_its_maker_may_now() {
    let mut book = book();
    let guard = session(&mut book, "guard");
    let refused = add_token(&mut book, &guard, &token(Role::Admin));
    assert!(matches!(refused, Err(AccessError::Forbidden(_))));
    let id = add_token(&mut book, &guard, &token(Role::Operator)).unwrap();
    assert_eq!(by_token(&book, id).unwrap().grant, grant(Role::Operator));
    let less = UserChange { role: Some(Role::Viewer), cameras: Some(Some(vec!["front".into()])) };
    book.change_user("guard", &less).unwrap();
    let now = by_token(&book, id).unwrap();
    assert!(now.may(Role::Viewer, Some("front")));
    assert!(!now.may(Role::Operator, Some("front")) && !now.sees("back"));
}

#[test]
fn who_goes_takes_their_tokens_and_sessions_along() {
    let mut book = book();
    let guard = session(&mut book, "guard");
    let id = add_token(&mut book, &guard, &token(Role::Viewer)).unwrap();
    book.remove_user("guard").unwrap();
    assert_eq!(by_token(&book, id), None);
    assert_eq!(book.session(&guard.digest, now()), None);
}

#[test]
fn tokens_end_at_their_time_and_are_seen_by_their_owner_and_admins_only() {
    let mut book = book();
    let (owner, guard) = (session(&mut book, "owner"), session(&mut book, "guard"));
    let soon = now() + SignedDuration::from_mins(1);
    let new = NewToken { expires_at: Some(soon), ..token(Role::Viewer) };
    let id = add_token(&mut book, &owner, &new).unwrap();
    assert!(book.token(&format!("digest-{id}"), now()).is_some());
    assert!(book.token(&format!("digest-{id}"), soon).is_none());
    assert_eq!(book.tokens_for(&guard).count(), 0);
    assert_eq!(book.tokens_for(&owner).count(), 1);
    let refused = book.remove_token(&guard, &id.to_string());
    assert!(matches!(refused, Err(AccessError::NotFound { .. })));
    book.remove_token(&owner, &id.to_string()).unwrap();
    assert_eq!(by_token(&book, id), None);
}

#[test]
fn a_token_of_the_past_or_without_a_name_is_not_made() {
    let mut book = book();
    let owner = session(&mut book, "owner");
    for new in [
        NewToken { expires_at: Some(now()), ..token(Role::Viewer) },
        NewToken { name: " ".into(), ..token(Role::Viewer) },
    ] {
        let refused = add_token(&mut book, &owner, &new);
        assert!(matches!(refused, Err(AccessError::Invalid { .. })), "{refused:?}");
    }
}

#[test]
fn a_new_password_ends_all_sessions_but_the_one_that_set_it() {
    let mut book = book();
    let (here, there) = (session(&mut book, "owner"), session(&mut book, "owner"));
    let other = session(&mut book, "guard");
    book.set_password("owner", "new".into(), Some(&here.digest)).unwrap();
    assert!(book.session(&here.digest, now()).is_some());
    assert!(book.session(&there.digest, now()).is_none());
    assert!(book.session(&other.digest, now()).is_some());
}

#[test]
fn a_session_ends_when_unused_and_is_prolonged_when_half_of_it_is_over() {
    let mut book = book();
    let owner = session(&mut book, "owner");
    assert!(!book.is_to_be_prolonged(&owner.digest, now()));
    let later = now() + SESSION / 2 + SignedDuration::from_secs(1);
    assert!(book.is_to_be_prolonged(&owner.digest, later));
    book.prolong(&owner.digest, later);
    assert!(book.session(&owner.digest, now() + SESSION).is_some());
    assert!(book.session(&owner.digest, later + SESSION).is_none());
}

#[test]
fn a_user_has_a_bounded_number_of_sessions_and_the_oldest_goes() {
    let mut book = book();
    for n in 0..i64::try_from(MAX_SESSIONS).unwrap() + 5 {
        book.begin_session("owner", format!("d{n}"), now() + SignedDuration::from_secs(n));
    }
    assert_eq!(book.sessions.len(), MAX_SESSIONS);
    assert!(!book.sessions.contains_key("d0") && book.sessions.contains_key("d24"));
}

#[test]
fn names_are_short_and_plain_and_nobody_has_one_twice() {
    let mut book = book();
    for name in ["", "Owner", "a b", "-a", "ä", &"a".repeat(33), "../x"] {
        let refused = book.add_user(name, String::new(), grant(Role::Viewer), now());
        assert!(matches!(refused, Err(AccessError::Invalid { .. })), "{name}");
    }
    assert!(book.add_user("owner", String::new(), grant(Role::Viewer), now()).is_err());
    book.add_user("gate-house.2", String::new(), grant(Role::Viewer), now()).unwrap();
}

#[test]
fn a_book_is_the_same_after_it_was_written_and_read() {
    let mut book = book();
    let owner = session(&mut book, "owner");
    add_token(&mut book, &owner, &token(Role::Viewer)).unwrap();
    let text = serde_json::to_string(&book).unwrap();
    assert_eq!(serde_json::from_str::<Book>(&text).unwrap(), book);
}
