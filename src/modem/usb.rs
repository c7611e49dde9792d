//! Where a serial port hangs on the USB, and the last rung but one: its device is reset.
//!
//! What is found is found in sysfs, by its paths alone. The reset is `USBDEVFS_RESET`; the kernel's drivers are unbound and
//! bound anew by it, so that the port goes away and comes back.

use nusb::MaybeFuture;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A USB device that serves a serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbDevice {
    /// Its folder in sysfs.
    pub folder: PathBuf,
    /// The name of the interface that the port is, as `1-1.2:1.2`.
    pub interface: String,
    bus: u8,
    address: u8,
    vendor: String,
}

impl UsbDevice {
    /// The device behind a port such as `/dev/ttyUSB2` or a link to it; `sysfs` is where that is mounted. `None`: it is none
    /// of a USB device's: a UART of the board's own, or a pseudo-terminal.
    pub fn of_port(sysfs: &Path, port: &Path) -> Option<Self> {
        let real = fs::canonicalize(port).unwrap_or_else(|_| port.to_owned());
        let tty = sysfs.join("class/tty").join(real.file_name()?).join("device");
        // The port may be an interface, or hang on one; the device stands above both, and has a number on its bus.
        let place = fs::canonicalize(tty).ok()?;
        let folder = place.ancestors().find(|folder| folder.join("devnum").is_file())?;
        let interface = place.ancestors().take_while(|below| *below != folder).last().unwrap_or(folder);
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
        Some(Self {
            folder: folder.to_owned(),
            interface: interface.file_name()?.to_string_lossy().into_owned(),
            bus: read("busnum")?.parse().ok()?,
            address: read("devnum")?.parse().ok()?,
            vendor: read("idVendor")?.to_ascii_lowercase(),
        })
    }

    /// The hub that it is plugged into, from which it has its power.
    pub fn hub(&self) -> String {
        self.folder.parent().unwrap_or(&self.folder).display().to_string()
    }

    /// The way it is plugged in, as `1-1.2`.
    pub fn path(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Which one it is on its bus: another, whenever it is plugged in.
    pub fn number(&self) -> (u8, u8) {
        (self.bus, self.address)
    }

    /// Why it must not be reset, if so. Behind a bare bridge hangs who knows what, and the modem notices nothing of it.
    pub fn why_not_reset(&self) -> Option<&'static str> {
        BRIDGES.contains(&self.vendor.as_str()).then_some(
            "its port is a plain USB-to-serial bridge, whose reset does nothing to the modem behind it; a hub whose power can \
             be switched would",
        )
    }

    /// Resets it. Blocks for as long as the kernel takes. The port must be closed.
    pub fn reset(&self) -> io::Result<()> {
        let found = nusb::list_devices().wait().map_err(|error| self.explain(error))?;
        let here = |device: &nusb::DeviceInfo| device.busnum() == self.bus && device.device_address() == self.address;
        let found = found.into_iter().find(here);
        let found = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its USB device is gone"))?;
        let device = found.open().wait().map_err(|error| self.explain(error))?;
        device.reset().wait().map_err(|error| self.explain(error))
    }

    fn explain(&self, error: nusb::Error) -> io::Error {
        let node = format!("/dev/bus/usb/{:03}/{:03}", self.bus, self.address);
        let error = io::Error::from(error);
        let words = match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "no permission for {node}: install udev/60-otpgate.rules, which gives it to the group dialout; under systemd, \
                 DeviceAllow=char-usb_device rw as well ({error})"
            ),
            _ => format!("{node} can't be reset ({error})"),
        };
        io::Error::new(error.kind(), words)
    }
}

/// Vendors of bridges between USB and a UART.
const BRIDGES: &[&str] = &["0403", "067b", "10c4", "1a86"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A tree as the kernel shows it: a hub, a device of two interfaces on it with a port each, another as cdc_acm has it,
    /// and a UART of the board's own.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let bus = root.path().join("devices/pci0/usb1");
        let write = |folder: &Path, files: &[(&str, &str)]| {
            fs::create_dir_all(folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), format!("{text}\n")).unwrap());
        };
        let device = |number, vendor| [("busnum", "1"), ("devnum", number), ("idVendor", vendor)];
        write(&bus, &device("1", "1d6b"));
        write(&bus.join("1-1"), &device("4", "05e3"));
        write(&bus.join("1-1/1-1.2"), &device("23", "2C7C"));
        write(&bus.join("1-1/1-1.2/1-1.2:1.2/ttyUSB2"), &[]);
        write(&bus.join("1-1/1-1.2/1-1.2:1.3/ttyUSB3"), &[]);
        write(&bus.join("1-1/1-1.3"), &device("24", "1a86"));
        write(&bus.join("1-1/1-1.3/1-1.3:1.0"), &[]);
        write(&root.path().join("devices/platform/serial8250"), &[]);
        let tty = root.path().join("class/tty");
        for (name, target) in [
            ("ttyUSB2", bus.join("1-1/1-1.2/1-1.2:1.2/ttyUSB2")),
            ("ttyUSB3", bus.join("1-1/1-1.2/1-1.2:1.3/ttyUSB3")),
            ("ttyACM0", bus.join("1-1/1-1.3/1-1.3:1.0")),
            ("ttyS0", root.path().join("devices/platform/serial8250")),
        ] {
            fs::create_dir_all(tty.join(name)).unwrap();
            symlink(target, tty.join(name).join("device")).unwrap();
        }
        root
    }

    fn of(root: &tempfile::TempDir, port: &str) -> Option<UsbDevice> {
        UsbDevice::of_port(root.path(), Path::new(port))
    }

    #[test]
    fn two_ports_of_one_device_are_one_device_on_one_hub() {
        let root = tree();
        let device = of(&root, "/dev/ttyUSB2").unwrap();
        let other = of(&root, "/dev/ttyUSB3").unwrap();
        assert_eq!((&device.folder, device.number()), (&other.folder, other.number()));
        assert_eq!((device.path().as_str(), device.interface.as_str()), ("1-1.2", "1-1.2:1.2"));
        assert_eq!(other.interface, "1-1.2:1.3");
        assert_eq!((device.bus, device.address, device.vendor.as_str()), (1, 23, "2c7c"));
        assert!(device.hub().ends_with("usb1/1-1"), "{}", device.hub());
        assert_eq!(device.why_not_reset(), None);
        let neighbour = of(&root, "/dev/ttyACM0").unwrap();
        assert_eq!(neighbour.hub(), device.hub());
        assert_ne!(neighbour.folder, device.folder);
    }

    #[test]
    fn a_link_is_followed() {
        let root = tree();
        let port = root.path().join("ttyUSB2");
        fs::write(&port, "").unwrap();
        let link = root.path().join("usb-modem-if02-port0");
        symlink(&port, &link).unwrap();
        assert_eq!(UsbDevice::of_port(root.path(), &link), of(&root, "/dev/ttyUSB2"));
    }

    #[test]
    fn a_bare_bridge_is_not_reset() {
        assert!(of(&tree(), "/dev/ttyACM0").unwrap().why_not_reset().is_some_and(|why| why.contains("bridge")));
    }

    #[test]
    fn what_is_not_on_the_usb_has_no_device() {
        let root = tree();
        for port in ["/dev/ttyS0", "/dev/pts/7", "/dev/ttyUSB9", "/"] {
            assert_eq!(of(&root, port), None, "{port}");
        }
    }

    #[test]
    fn a_device_that_is_gone_is_told_in_words() {
        let error = of(&tree(), "/dev/ttyUSB2").unwrap().reset().unwrap_err().to_string();
        assert!(error.contains("gone") || error.contains("/dev/bus/usb/001/023"), "{error}");
    }
}
