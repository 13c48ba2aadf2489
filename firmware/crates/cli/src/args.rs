//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;

/// Finds EdgeCams, claims them, reads and changes them.
#[derive(Debug, Parser)]
#[command(name = "edgecam", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which device, and who calls.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Target {
    /// The device: a name of `edgecam devices`, an address, or a URL. Not needed while one is known.
    #[arg(long, short, global = true, env = "EDGECAM_DEVICE", value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// A token, in the place of the one that `claim` or `login` kept.
    #[arg(long, global = true, env = "EDGECAM_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The SHA-256 of the device's certificate, in hexadecimal, in the place of the one that is known.
    #[arg(long, global = true, env = "EDGECAM_FINGERPRINT", value_name = "SHA256")]
    pub(crate) fingerprint: Option<String>,
    /// The file of known devices.
    #[arg(long, global = true, env = "EDGECAM_BOOK", value_name = "FILE", hide = true)]
    pub(crate) book: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the devices on the local network.
    Discover {
        /// How long to listen, in seconds.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
    },
    /// List the devices that are known here.
    Devices,
    /// Become the owner of a new device, by the code that it shows.
    Claim {
        /// The device: a name of `edgecam discover`, an address, or a URL.
        device: String,
        /// The code. Asked for when absent.
        #[arg(long)]
        code: Option<String>,
        /// Name of its first user.
        #[arg(long, default_value = "owner")]
        user: String,
    },
    /// Sign in on a device, and keep a token for it.
    Login {
        /// The device: a name of `edgecam discover`, an address, or a URL.
        device: String,
        /// Name of the user.
        #[arg(long, default_value = "owner")]
        user: String,
    },
    /// Forget a device: its token is revoked, and what is known here removed.
    Logout,
    /// Read something: `edgecam get cameras/front`, `edgecam get settings /mqtt`.
    Get {
        /// Path of the API without `/api/v1`; its query may follow.
        #[arg(default_value = "")]
        path: String,
        /// JSON pointer to the part that is wanted.
        #[arg(default_value = "")]
        pointer: String,
        /// One line per value, as `set` takes them.
        #[arg(long)]
        lines: bool,
    },
    /// Change settings: `edgecam set cameras.front.encoder.bitrate_kbps=1500 mqtt.enabled=true`.
    Set(SetArgs),
    /// Keep settings that wait for it.
    Confirm,
    /// What happened.
    Events(EventsArgs),
    /// Models of the detector.
    Models {
        #[command(subcommand)]
        what: Option<Models>,
    },
    /// Backups of the device's settings and users.
    Backup {
        #[command(subcommand)]
        what: Backups,
    },
    /// Updates of the device's firmware.
    Update {
        #[command(subcommand)]
        what: Option<Updates>,
    },
    /// Print what a shell needs to complete this command line.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SetArgs {
    /// `path=value`: the value is JSON, or else text; `null` gives back to what the device has without it.
    #[arg(required = true, value_name = "PATH=VALUE")]
    pub(crate) assignments: Vec<String>,
    /// Only say what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take it back unless `edgecam confirm` comes within so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) confirm_within: Option<u32>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EventsArgs {
    /// Go on with those to come, through restarts of the device and lost connections.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Of this camera.
    #[arg(long)]
    pub(crate) camera: Option<String>,
    /// Of objects of this class.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// After this number.
    #[arg(long, value_name = "SEQ")]
    pub(crate) after: Option<u64>,
    /// At most so many of the past; ignored with `--follow`.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// As JSON, one to a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List them.
    List,
    /// Add one: a manifest here, whose files lie beside it, or the address of one.
    Add {
        /// The manifest (TOML), or `https://…`.
        manifest: String,
        /// The SHA-256 that the manifest at the address must have.
        #[arg(long)]
        sha256: Option<String>,
    },
    /// Have the device detect with one.
    Activate {
        /// Its name.
        name: String,
    },
    /// Remove one.
    Delete {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Updates {
    /// Show what runs, what is in the slots, and how far an update is.
    Status,
    /// Look for a newer version.
    Check,
    /// Install one, and wait until it is known whether it stays.
    Install(InstallArgs),
    /// Keep the new version, where the device waits for its owner to say so.
    Commit,
    /// Go back to the version before.
    Rollback,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InstallArgs {
    /// A bundle here, or `https://…`. Without: what is staged on the device, else what `check` found.
    pub(crate) bundle: Option<String>,
    /// The SHA-256 that the bundle at the address must have.
    #[arg(long)]
    pub(crate) sha256: Option<String>,
    /// Install the running version again.
    #[arg(long)]
    pub(crate) force: bool,
    /// Let the machine run on: the next start tries the new version.
    #[arg(long)]
    pub(crate) no_reboot: bool,
    /// Do not wait for what becomes of it.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backups {
    /// List those that are on the device.
    List,
    /// Make one, and write it to a file here.
    Save {
        /// The file; it must not be there yet.
        file: PathBuf,
        /// What it is for.
        #[arg(long)]
        note: Option<String>,
        /// Encrypt it; the passphrase is asked for. Without it the file holds passwords as they are.
        #[arg(long)]
        encrypt: bool,
        /// Leave users and tokens out.
        #[arg(long)]
        without_users: bool,
    },
    /// Bring the device back to what a file here holds.
    Restore {
        /// The file.
        file: PathBuf,
        /// Its users and tokens too, in the place of those that there are.
        #[arg(long)]
        users: bool,
    },
    /// Remove one from the device.
    Delete {
        /// Its id.
        id: String,
    },
}
