//! Who is let in, question by question.

use api::access::{NewToken, NewUser, Role};
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "a quiet street";
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

struct Site {
    door: Door,
    access: Access,
    _folder: TempDir,
}

impl Site {
    fn unclaimed() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::open(folder.path(), None).unwrap();
        let (secret, key) = (ControlSecret::random().unwrap(), PublishKey::random().unwrap());
        Self { door: Door::new(access.clone(), secret, key), access, _folder: folder }
    }

    /// With the admin `owner`, and `guard`, who sees `front` only.
    async fn new() -> Self {
        let site = Self::unclaimed();
        site.owner().await;
        let guard = NewUser {
            username: "guard".into(),
            password: PASSWORD.into(),
            role: Role::Viewer,
            cameras: Some(vec!["front".into()]),
        };
        site.access.add_user(guard).await.unwrap();
        site
    }

    async fn owner(&self) -> Principal {
        let session = match self.access.claim_code() {
            Some(code) => self.access.claim(&code, "owner", &PASSWORD.into(), HOME).await,
            None => self.access.login("owner", &PASSWORD.into(), HOME).await,
        };
        session.unwrap().principal
    }

    async fn token(&self, cameras: Option<Vec<String>>) -> String {
        let new = NewToken { name: "player".into(), role: Role::Viewer, cameras, expires_at: None };
        let made = self.access.add_token(&self.owner().await, new).await.unwrap();
        made.secret.reveal().to_owned()
    }

    async fn may(&self, question: Question) -> bool {
        self.door.may(question).await
    }
}

fn read(protocol: Protocol, user: &str, password: &str) -> Question {
    Question {
        action: Action::Read,
        path: "front".into(),
        protocol,
        ip: Some(HOME),
        user: user.into(),
        password: password.into(),
        // As the media server fills it in.
        token: password.into(),
        id: Some("id".into()),
    }
}

#[tokio::test]
async fn while_the_device_has_no_owner_nobody_watches() {
    let site = Site::unclaimed();
    for (user, password) in [("", ""), ("owner", PASSWORD), ("", "ect_x")] {
        for protocol in [Protocol::Rtsp, Protocol::Rtmp, Protocol::WebRtc, Protocol::Hls] {
            assert!(!site.may(read(protocol, user, password)).await);
        }
    }
}

#[tokio::test]
async fn a_player_shows_a_password_or_a_token_and_reads_the_cameras_that_it_sees() {
    let site = Site::new().await;
    let in_front = |user: &str, password: &str| read(Protocol::Rtsp, user, password);
    let in_yard =
        |user: &str, password: &str| Question { path: "yard".into(), ..in_front(user, password) };
    assert!(site.may(in_front("owner", PASSWORD)).await);
    assert!(site.may(in_yard("owner", PASSWORD)).await);
    assert!(site.may(in_front("guard", PASSWORD)).await);
    assert_eq!(site.door.who("id").unwrap().username, "guard");
    assert!(!site.may(in_yard("guard", PASSWORD)).await);
    assert!(!site.may(in_front("guard", "another street")).await);
    assert!(!site.may(in_front("guard", "")).await && !site.may(in_front("", PASSWORD)).await);

    let (wide, narrow) = (site.token(None).await, site.token(Some(vec!["front".into()])).await);
    assert!(site.may(in_yard("anyone", &wide)).await && site.may(in_front("", &narrow)).await);
    assert!(!site.may(in_yard("", &narrow)).await);
    let in_query = Question { password: String::new(), ..in_front("", &narrow) };
    assert!(site.may(in_query).await);
    let other = Question { protocol: Protocol::Other, ..in_front("owner", PASSWORD) };
    assert!(!site.may(other).await);
}

#[tokio::test]
async fn a_sessions_secret_opens_no_stream() {
    let site = Site::new().await;
    let session = site.access.login("owner", &PASSWORD.into(), HOME).await.unwrap();
    let secret = session.secret.reveal();
    assert!(!site.may(read(Protocol::Rtsp, "owner", secret)).await);
    let in_query = Question { password: String::new(), ..read(Protocol::Rtsp, "", secret) };
    assert!(!site.may(in_query).await);
}

#[tokio::test]
async fn wrong_passwords_lock_out_as_over_the_api() {
    let site = Site::new().await;
    for _ in 0..5 {
        assert!(!site.may(read(Protocol::Rtsp, "guard", "another street")).await);
    }
    assert!(!site.may(read(Protocol::Rtsp, "guard", PASSWORD)).await, "it has to wait");
    let api = site.access.login("guard", &PASSWORD.into(), HOME).await;
    assert!(matches!(api, Err(::access::AccessError::Locked(_))), "there, too");
    let elsewhere =
        Question { ip: Some([10, 0, 0, 8].into()), ..read(Protocol::Rtsp, "guard", PASSWORD) };
    assert!(site.may(elsewhere).await);
}

#[tokio::test]
async fn webrtc_and_hls_are_opened_by_a_ticket_once_and_by_nothing_else() {
    let site = Site::new().await;
    let owner = site.owner().await;
    for protocol in [Protocol::WebRtc, Protocol::Hls] {
        let token = site.token(None).await;
        for (user, password) in [("owner", PASSWORD), ("", &token), ("", ""), ("owner", "ecv_x")] {
            assert!(!site.may(read(protocol, user, password)).await);
        }
        let ticket = site.door.ticket(&owner);
        assert!(!site.may(read(Protocol::Rtsp, "owner", &ticket)).await);
        assert!(site.may(read(protocol, "owner", &ticket)).await);
        assert!(!site.may(read(protocol, "owner", &ticket)).await, "once");
    }
    let guard = site.access.player("guard", &PASSWORD.into(), HOME).await.unwrap();
    let question = read(Protocol::WebRtc, "guard", &site.door.ticket(&guard));
    assert!(!site.may(Question { path: "yard".into(), ..question }).await, "of another camera");
}

#[tokio::test]
async fn an_owner_neither_publishes_nor_uses_the_control_api() {
    let site = Site::new().await;
    for action in [Action::Publish, Action::Api, Action::Other] {
        for password in [PASSWORD, &site.token(None).await] {
            for user in ["owner", "front", "edgecam"] {
                let question = Question { action, ..read(Protocol::Rtsp, user, password) };
                assert!(!site.may(question).await, "{action:?} as {user}");
            }
        }
    }
}
