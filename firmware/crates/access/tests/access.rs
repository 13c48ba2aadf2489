//! The handle: claim, sign in, tokens, what outlives a restart, what a damaged file does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::net::{IpAddr, Ipv4Addr};

use api::access::{Grant, NewToken, NewUser, Role, UserChange};
use api::settings::Secret;
use edgecam_access::{Access, AccessError, NewSession};
use tempfile::TempDir;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 7));
const PASSWORD: &str = "a quiet street";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &TempDir) -> Access {
    Access::open(folder.path(), None).unwrap()
}

async fn claimed(folder: &TempDir) -> (Access, NewSession) {
    let access = open(folder);
    let code = access.claim_code().unwrap();
    let owner = access.claim(&code, "owner", &PASSWORD.into(), HOME).await.unwrap();
    (access, owner)
}

fn viewer(name: &str) -> NewUser {
    let (username, password) = (name.to_owned(), Secret::from(PASSWORD));
    NewUser { username, password, role: Role::Viewer, cameras: None }
}

#[tokio::test]
async fn a_new_device_is_claimed_once_by_its_code_and_by_nothing_else() {
    let folder = folder();
    let access = open(&folder);
    assert!(!access.is_claimed());
    let refused = access.login("owner", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::NotClaimed)));
    let refused = access.claim("AAAAA-AAAAA", "owner", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongCode)));

    let code = open(&folder).claim_code().unwrap();
    assert_eq!(access.claim_code(), Some(code.clone()), "a restart keeps the code");
    let owner = access.claim(&code, "owner", &PASSWORD.into(), HOME).await.unwrap();
    assert_eq!(owner.principal.grant, Grant { role: Role::Admin, cameras: None });
    assert!(access.is_claimed() && access.claim_code().is_none());
    let refused = access.claim(&code, "other", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::Claimed)));
    assert!(!folder.path().join("claim-code").exists());
}

#[tokio::test]
async fn the_code_is_shown_in_another_place_too_until_it_is_used() {
    let [folder, card] = [folder(), folder()];
    let shown = card.path().join("claim-code.txt");
    let read = || std::fs::read_to_string(&shown).ok();
    let open = || Access::open(folder.path(), Some(&shown)).unwrap();
    let access = open();
    let code = access.claim_code().unwrap();
    assert_eq!(read(), Some(format!("{code}\n")));
    access.claim(&code, "owner", &PASSWORD.into(), HOME).await.unwrap();
    assert_eq!(read(), None);
    std::fs::write(&shown, "left behind").unwrap();
    assert!(open().is_claimed());
    assert_eq!(read(), None, "a power cut leaves no code behind");
    let nowhere = Access::open(card.path(), Some(&shown.join("not/there"))).unwrap();
    assert!(nowhere.claim_code().is_some(), "it is shown elsewhere all the same");
}

#[tokio::test]
async fn a_code_that_the_owner_chose_claims_instead_of_one_that_is_shown() {
    let [folder, card] = [folder(), folder()];
    let shown = card.path().join("claim-code");
    let open = || Access::open(folder.path(), Some(&shown)).unwrap();
    let made = open().claim_code().unwrap();
    let hash = folder.path().join("claim-hash");
    std::fs::write(&hash, format!("{}\n", edgecam_access::secret::digest("my own gate"))).unwrap();
    let access = open();
    assert_eq!(access.claim_code(), None, "there is nothing to show");
    assert!(!access.is_claimed() && !shown.exists() && !folder.path().join("claim-code").exists());
    let refused = access.claim(&made, "owner", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongCode)));
    access.claim("my own gate", "owner", &PASSWORD.into(), HOME).await.unwrap();
    assert!(access.is_claimed() && !hash.exists());
    std::fs::write(&hash, "what somebody put there afterwards").unwrap();
    assert!(open().is_claimed());
    assert!(!hash.exists(), "a device that has an owner takes no other code");
}

#[tokio::test]
async fn what_is_no_hash_of_a_code_does_not_lock_the_owner_out() {
    let folder = folder();
    std::fs::write(folder.path().join("claim-hash"), "my own gate\n").unwrap();
    assert!(open(&folder).claim_code().is_some());
}

#[tokio::test]
async fn two_claims_at_once_make_one_owner() {
    let folder = folder();
    let access = open(&folder);
    let code = access.claim_code().unwrap();
    let password = Secret::from(PASSWORD);
    let (one, other) = tokio::join!(
        access.claim(&code, "one", &password, HOME),
        access.claim(&code, "other", &password, HOME),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(access.users().unwrap().len(), 1);
}

#[tokio::test]
async fn guessing_codes_has_to_wait() {
    let folder = folder();
    let access = open(&folder);
    for _ in 0..5 {
        let refused = access.claim("AAAAA-AAAAA", "owner", &PASSWORD.into(), HOME).await;
        assert!(matches!(refused, Err(AccessError::WrongCode)));
    }
    let code = access.claim_code().unwrap();
    let refused = access.claim(&code, "owner", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::Locked(_))), "{refused:?}");
}

#[tokio::test]
async fn a_password_signs_in_and_a_session_and_a_token_are_recognised_until_they_end() {
    let folder = folder();
    let (access, _) = claimed(&folder).await;
    let refused = access.login("owner", &"another street".into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongPassword)));
    let refused = access.login("nobody", &PASSWORD.into(), HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongPassword)));

    let session = access.login("owner", &PASSWORD.into(), HOME).await.unwrap();
    let secret = session.secret.reveal();
    let owner = access.recognise(secret).unwrap().unwrap();
    assert_eq!(owner.username, "owner");
    let new = NewToken {
        name: "home".into(),
        role: Role::Viewer,
        cameras: Some(vec!["front".into()]),
        expires_at: None,
    };
    let token = access.add_token(&owner, new).await.unwrap();
    let program = access.recognise(token.secret.reveal()).unwrap().unwrap();
    assert!(program.sees("front") && !program.sees("back"));
    assert!(access.tokens(&owner).unwrap()[0].last_used_at.is_some());

    access.logout(&owner).await.unwrap();
    assert_eq!(access.recognise(secret).unwrap(), None);
    access.remove_token(&owner, &token.token.id.to_string()).await.unwrap();
    assert_eq!(access.recognise(token.secret.reveal()).unwrap(), None);
    assert_eq!(access.recognise("ect_nonsense").unwrap(), None);
}

#[tokio::test]
async fn users_sessions_and_tokens_outlive_a_restart_and_their_secrets_are_not_in_the_file() {
    let folder = folder();
    let (access, owner) = claimed(&folder).await;
    access.add_user(viewer("guard")).await.unwrap();
    let new = NewToken { name: "home".into(), role: Role::Viewer, cameras: None, expires_at: None };
    let token = access.add_token(&owner.principal, new).await.unwrap();
    drop(access);

    let access = open(&folder);
    assert_eq!(access.users().unwrap().len(), 2);
    for secret in [&owner.secret, &token.secret] {
        assert_eq!(access.recognise(secret.reveal()).unwrap().unwrap().username, "owner");
    }
    let path = folder.path().join("access.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in [PASSWORD, owner.secret.reveal(), token.secret.reveal()] {
        assert!(!text.contains(secret));
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn ones_own_password_is_changed_with_the_present_one_and_others_by_an_admin() {
    let folder = folder();
    let (access, owner) = claimed(&folder).await;
    access.add_user(viewer("guard")).await.unwrap();
    let (owner, new) = (owner.principal, Secret::from("a louder street"));
    let refused = access.set_password(&owner, "owner", None, &new, HOME).await;
    assert!(matches!(refused, Err(AccessError::Invalid { pointer: "/current", .. })));
    let wrong = Secret::from("another street");
    let refused = access.set_password(&owner, "owner", Some(&wrong), &new, HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongPassword)));
    let present = Secret::from(PASSWORD);
    access.set_password(&owner, "owner", Some(&present), &new, HOME).await.unwrap();
    access.login("owner", &new, HOME).await.unwrap();

    access.set_password(&owner, "guard", None, &new, HOME).await.unwrap();
    let guard = access.login("guard", &new, HOME).await.unwrap().principal;
    let refused = access.set_password(&guard, "owner", None, &new, HOME).await;
    assert!(matches!(refused, Err(AccessError::Forbidden(_))));
}

#[tokio::test]
async fn a_media_player_is_known_by_its_password_until_that_changes() {
    let folder = folder();
    let (access, owner) = claimed(&folder).await;
    let password = Secret::from(PASSWORD);
    for _ in 0..3 {
        let player = access.player("owner", &password, HOME).await.unwrap();
        assert_eq!(player.grant.role, Role::Admin);
    }
    let new = Secret::from("a louder street");
    access.set_password(&owner.principal, "owner", Some(&password), &new, HOME).await.unwrap();
    let refused = access.player("owner", &password, HOME).await;
    assert!(matches!(refused, Err(AccessError::WrongPassword)));
}

#[tokio::test]
async fn a_damaged_file_lets_nobody_in_and_does_not_open_the_device() {
    let folder = folder();
    let (_, owner) = claimed(&folder).await;
    for damage in ["", "{", r#"{"format": 99, "users": {}}"#] {
        std::fs::write(folder.path().join("access.json"), damage).unwrap();
        let access = open(&folder);
        assert!(access.is_claimed() && access.claim_code().is_none());
        let refused = access.recognise(owner.secret.reveal());
        assert!(matches!(refused, Err(AccessError::Damaged { .. })));
        let refused = access.claim("AAAAA-AAAAA", "me", &PASSWORD.into(), HOME).await;
        assert!(matches!(refused, Err(AccessError::Damaged { .. })), "{refused:?}");
    }
    Access::reset(folder.path()).unwrap();
    assert!(open(&folder).claim_code().is_some());
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_in_force() {
    let folder = folder();
    let (access, _) = claimed(&folder).await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    let refused = access.add_user(viewer("guard")).await;
    assert!(matches!(refused, Err(AccessError::Store { .. })), "{refused:?}");
    assert_eq!(access.users().unwrap().len(), 1);
}

#[tokio::test]
async fn what_goes_on_ends_with_the_way_in() {
    let folder = folder();
    let (access, owner) = claimed(&folder).await;
    let new =
        NewToken { name: "player".into(), role: Role::Viewer, cameras: None, expires_at: None };
    access.add_user(viewer("guard")).await.unwrap();
    let guard = access.player("guard", &PASSWORD.into(), HOME).await.unwrap();
    let made = access.add_token(&owner.principal, new).await.unwrap();
    let token = access.recognise(made.secret.reveal()).unwrap().unwrap();
    for principal in [&owner.principal, &guard, &token] {
        let still = access.still(principal).unwrap();
        assert_eq!((&still.username, &still.grant), (&principal.username, &principal.grant));
    }
    let narrower = UserChange { cameras: Some(Some(vec!["front".into()])), role: None };
    access.change_user("guard", narrower).await.unwrap();
    assert_eq!(access.still(&guard).unwrap().grant.cameras, Some(vec!["front".into()]));
    let other = "another street".into();
    access.set_password(&owner.principal, "guard", None, &other, HOME).await.unwrap();
    assert!(access.still(&guard).is_none(), "their password is another");
    access.remove_token(&owner.principal, &made.token.id.to_string()).await.unwrap();
    assert!(access.still(&token).is_none());
    access.logout(&owner.principal).await.unwrap();
    assert!(access.still(&owner.principal).is_none());
}
