"""Field data of three devices, merged through a folder that they share.

    python field_data.py            three devices in a temporary folder

Each device counts seals where there is no network. Sightings are records of their own and never conflict; the tags of a
site, edited on all three, are united by the policy ``merge``.
"""

from __future__ import annotations

import pathlib
import tempfile
import threading

from selkie import EncryptedLocalStore, IncrementalSync

PASSPHRASE = "seals sleep under water"


def join(leader: EncryptedLocalStore, folder: pathlib.Path, path: pathlib.Path) -> EncryptedLocalStore:
    """A device joins; the digits would be compared by two people."""
    invitation = leader.invite(f"folder:{folder}", PASSPHRASE)
    waiting = threading.Thread(target=lambda: invitation.wait(60).confirm())
    waiting.start()
    joined = EncryptedLocalStore.join(path, f"folder:{folder}", invitation.code, PASSPHRASE, lambda digits: True)
    waiting.join()
    return joined


def sync_all(devices: list[EncryptedLocalStore], folder: pathlib.Path) -> None:
    """Once to send, once more to receive what the later ones sent."""
    for device in devices + devices:
        IncrementalSync(device).sync(f"folder:{folder}")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        here = pathlib.Path(directory)
        folder = here / "shared"
        folder.mkdir()
        devices = [EncryptedLocalStore(here / "leader.db", PASSPHRASE)]
        for name in ("north", "south"):
            devices.append(join(devices[0], folder, here / f"{name}.db"))
        devices[0].set_policy("sites", "merge")
        devices[0].store("bay", {"tags": ["rocky"]}, "sites")
        sync_all(devices, folder)

        # Apart from each other, without a network.
        for number, device in enumerate(devices):
            for seals in range(number, number + 3):
                device.insert({"site": "bay", "seals": seals}, "sightings")
            device.patch("bay", {"tags": ["rocky", f"seen by team {number}"]}, "sites")

        sync_all(devices, folder)
        if len({device.digest() for device in devices}) != 1:
            raise SystemExit("the devices differ")
        (sums,) = devices[1].sql("SELECT count(*) AS n, sum(document ->> 'seals') AS seals FROM v_sightings")
        print(f"{sums['n']} sightings, {sums['seals']} seals")
        print("tags:", ", ".join(sorted(devices[2].collection("sites")["bay"]["tags"])))
        for device in devices:
            device.close()


if __name__ == "__main__":
    main()
