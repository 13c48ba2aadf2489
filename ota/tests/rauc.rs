//! RAUC over a real message bus, played by a peer that has all its traps.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod peer;

use std::sync::Mutex;
use std::time::Duration;

use api::updates::UpdateCode;
use edgecam_ota::RaucError;
use edgecam_ota::machine::Ending;
use edgecam_ota::rauc::{Bus, Mark, Rauc, Timing, Which};
use edgecam_ota::state::{Bundle, SlotName};
use peer::{Install, Peer, PrivateBus, World};

fn slot(name: &str) -> SlotName {
    SlotName(name.to_owned())
}

fn timing() -> Timing {
    Timing {
        call: Duration::from_secs(20),
        inspect: Duration::from_secs(20),
        install: Duration::from_secs(60),
        patience: Duration::from_secs(20),
        look_every: Duration::from_millis(100),
    }
}

async fn stage(world: World, timing: Timing) -> Option<(PrivateBus, Peer, Rauc)> {
    let bus = PrivateBus::start()?;
    let peer = Peer::start(&bus, world).await;
    let rauc = Rauc::connect(&Bus::Address(bus.address.clone()), timing).await.unwrap();
    Some((bus, peer, rauc))
}

fn bundle() -> Bundle {
    Bundle {
        version: "2.0.0".into(),
        compatible: "edgecam-debian-arm64".into(),
        hash: "cafe".into(),
        ..Bundle::default()
    }
}

async fn install(rauc: &Rauc) -> (Ending, Option<SlotName>, Vec<u8>) {
    let seen = Mutex::new(Vec::new());
    let progress = |percent: u8, _: &str| seen.lock().unwrap().push(percent);
    let (ending, primary) =
        rauc.install("/bundle.raucb", &bundle(), ("01TX", &slot("B")), &progress).await;
    (ending, primary, seen.into_inner().unwrap())
}

#[tokio::test]
async fn slots_bundles_and_what_starts_next_are_read_as_rauc_says_them() {
    let Some((_bus, _peer, rauc)) = stage(World::default(), timing()).await else { return };
    assert_eq!(rauc.booted().await.unwrap(), slot("A"));
    assert_eq!(rauc.primary().await.unwrap(), slot("A"));
    let slots = rauc.slots().await.unwrap();
    let names: Vec<_> = slots.iter().map(|slot| (slot.bootname.0.as_str(), slot.booted)).collect();
    assert_eq!(names, [("A", true), ("B", false)], "a child has no name in the boot loader");
    assert_eq!(rauc.inspect("/b").await.unwrap(), bundle());
}

#[tokio::test]
async fn an_installation_ends_with_the_new_slot_next_and_tells_how_far_it_is() {
    for takes_hash in [false, true] {
        let world = World { takes_hash, ..World::default() };
        let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
        let (ending, primary, seen) = install(&rauc).await;
        assert_eq!((ending, primary), (Ending::Done, Some(slot("B"))));
        assert_eq!(seen, [20, 60, 100]);
        let asked = peer.world().calls.iter().filter(|call| *call == "InstallBundle").count();
        assert_eq!(asked, if takes_hash { 1 } else { 2 }, "1.13 does not know the hash");
    }
}

#[tokio::test]
async fn a_bundle_that_is_not_the_one_that_was_looked_at_is_not_installed() {
    let world = World { hash: "beef".into(), ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    assert!(matches!(ending, Ending::Failed(reason) if reason.code == UpdateCode::Damaged));
    assert_eq!(primary, Some(slot("A")));
    assert!(!peer.world().calls.contains(&"InstallBundle".to_owned()));
}

#[tokio::test]
async fn a_refused_signature_is_told_in_raucs_words() {
    let why = "signature verification failed: Verify error: self-signed certificate";
    let world = World { install: Install::FailsFirst(why.into()), ..World::default() };
    let Some((_bus, _peer, rauc)) = stage(world, timing()).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    let Ending::Failed(reason) = ending else { panic!("{ending:?}") };
    assert_eq!((reason.code, reason.detail.as_str()), (UpdateCode::WrongSignature, why));
    assert_eq!(primary, Some(slot("A")));
}

#[tokio::test]
async fn a_handler_that_fails_last_is_a_failure_that_tells_of_the_new_slot_being_next() {
    let world = World { install: Install::FailsLast, ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    assert!(matches!(ending, Ending::Failed(_)));
    assert_eq!(primary, Some(slot("B")));
    rauc.forsake().await.unwrap();
    assert_eq!(rauc.primary().await.unwrap(), slot("A"));
    assert!(!peer.world().good["B"]);
}

#[tokio::test]
async fn an_end_that_nobody_was_told_of_is_found_in_the_slots() {
    let world = World { install: Install::SaysNothing, ..World::default() };
    let Some((_bus, _peer, rauc)) = stage(world, timing()).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    assert_eq!((ending, primary), (Ending::Done, Some(slot("B"))));
}

#[tokio::test]
async fn an_installer_that_dies_in_the_middle_has_not_installed() {
    for (plan, done) in [(Install::Dies, false), (Install::DiesLast, true)] {
        let world = World { install: plan, ..World::default() };
        let Some((bus, peer, rauc)) = stage(world, timing()).await else { return };
        let memory = peer.world.clone();
        // systemd starts another one as soon as somebody asks.
        let again = async {
            while !memory.lock().unwrap().calls.contains(&"InstallBundle".to_owned())
                || memory.lock().unwrap().written.is_none()
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let builder = zbus::connection::Builder::address(bus.address.as_str());
            let line = builder.build().await.unwrap();
            let dbus = zbus::fdo::DBusProxy::new(&line).await.unwrap();
            let name = zbus::names::BusName::try_from("de.pengutronix.rauc").unwrap();
            while dbus.name_has_owner(name.clone()).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Peer::again(&bus, &memory).await
        };
        let ((ending, primary, _), _second) = tokio::join!(install(&rauc), again);
        if done {
            assert_eq!((ending, primary), (Ending::Done, Some(slot("B"))));
        } else {
            assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
            assert_eq!(primary, Some(slot("A")));
        }
    }
}

#[tokio::test]
async fn an_installer_that_is_gone_for_good_is_an_interruption_and_no_wait_without_end() {
    let world = World { install: Install::Dies, ..World::default() };
    let hasty = Timing { patience: Duration::from_millis(300), ..timing() };
    let Some((_bus, _peer, rauc)) = stage(world, hasty).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
    assert_eq!(primary, None);
}

#[tokio::test]
async fn an_installation_that_hangs_is_given_up_after_its_time() {
    let world = World { install: Install::Hangs, ..World::default() };
    let short = Duration::from_millis(800);
    let timing = Timing { install: short, patience: short, call: short, ..timing() };
    let Some((_bus, _peer, rauc)) = stage(world, timing).await else { return };
    let (ending, primary, _) = install(&rauc).await;
    assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
    assert_eq!(primary, None, "it is busy for ever");
}

#[tokio::test]
async fn another_daemon_finds_the_end_of_an_installation_that_it_did_not_begin() {
    let world = World { install: Install::Succeeds, busy: true, ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    let finish = async {
        // It was asked whether it works, and was busy.
        while !peer.world().calls.contains(&"GetPrimary".to_owned()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut world = peer.world();
        world.written = Some(("01TX".into(), true));
        world.primary = "B".into();
        world.busy = false;
    };
    let target = slot("B");
    let ((ending, primary), ()) = tokio::join!(rauc.attach(("01TX", &target), &|_, _| {}), finish);
    assert_eq!((ending, primary), (Ending::Done, Some(slot("B"))));
    // What somebody else wrote is not ours.
    let (ending, _) = rauc.attach(("02TX", &target), &|_, _| {}).await;
    assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
}

#[tokio::test]
async fn what_was_seen_last_is_shown_while_rauc_works() {
    let Some((_bus, peer, rauc)) = stage(World::default(), timing()).await else { return };
    let seen = rauc.slots().await.unwrap();
    peer.world().busy = true;
    let hasty = Timing { patience: Duration::ZERO, call: Duration::from_millis(500), ..timing() };
    let impatient = Rauc::connect(&Bus::Address(_bus.address.clone()), hasty).await.unwrap();
    assert!(matches!(impatient.slots().await, Err(RaucError::Busy)));
    assert_eq!(rauc.seen(), seen);
    // Who has patience gets an answer.
    let (slots, ()) = tokio::join!(rauc.slots(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        peer.world().busy = false;
    });
    assert_eq!(slots.unwrap(), seen);
}

#[tokio::test]
async fn nobody_waits_for_an_answer_that_does_not_come() {
    let world = World { deaf: vec!["Mark", "GetSlotStatus"], ..World::default() };
    let hasty = Timing { call: Duration::from_millis(200), ..timing() };
    let Some((_bus, _peer, rauc)) = stage(world, hasty).await else { return };
    let late = rauc.mark(Mark::Good, Which::Booted).await.unwrap_err();
    assert!(matches!(late, RaucError::Late { .. }), "{late:?}");
    assert!(matches!(rauc.slots().await, Err(RaucError::Late { .. })));
}

#[tokio::test]
async fn a_system_is_kept_only_when_the_boot_loader_says_so_too() {
    let world = World { booted: "B".into(), primary: "B".into(), ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    rauc.keep(&slot("B")).await.unwrap();
    // A boot loader that would start the other one is told otherwise.
    peer.world().primary = "A".into();
    rauc.keep(&slot("B")).await.unwrap();
    assert_eq!(peer.world().primary, "B");
    // One that does not listen is not believed.
    peer.world().marks_lie = true;
    peer.world().primary = "A".into();
    assert!(rauc.keep(&slot("B")).await.unwrap_err().to_string().contains("slot A next"));
    peer.world().env_readable = false;
    rauc.keep(&slot("B")).await.unwrap_err();
}

#[tokio::test]
async fn going_back_marks_the_running_slot_bad_and_the_other_one_next() {
    let world = World { booted: "B".into(), primary: "B".into(), ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    rauc.go_back().await.unwrap();
    let world = peer.world().clone();
    assert_eq!((world.primary.as_str(), world.good["B"]), ("A", false));
    assert_eq!(world.calls, ["Mark bad booted", "Mark active other"]);
}

#[tokio::test]
async fn after_a_fallback_the_failed_slot_is_not_tried_again() {
    let world = World { primary: "B".into(), ..World::default() };
    let Some((_bus, peer, rauc)) = stage(world, timing()).await else { return };
    rauc.settle(true).await.unwrap();
    let world = peer.world().clone();
    assert_eq!((world.primary.as_str(), world.good["A"], world.good["B"]), ("A", true, false));
}

#[tokio::test]
async fn without_a_bus_or_without_rauc_that_is_what_is_said() {
    let nowhere = Bus::Address("unix:path=/nonexistent/bus".into());
    let error = Rauc::connect(&nowhere, timing()).await.unwrap_err();
    assert!(matches!(error, RaucError::NoBus(_)));
    let Some(bus) = PrivateBus::start() else { return };
    let rauc = Rauc::connect(&Bus::Address(bus.address.clone()), timing()).await.unwrap();
    assert!(matches!(rauc.booted().await, Err(RaucError::Absent(_))));
}
