"""``python -m selkie.demo``: two devices, a shared folder, edits apart from each other; about two seconds."""

from __future__ import annotations

import pathlib
import tempfile
import threading

from . import EncryptedLocalStore, IncrementalSync

PASSPHRASE = "seals sleep under water"


def pair(phone: EncryptedLocalStore, place: str, path: pathlib.Path) -> EncryptedLocalStore:
    """Lets a second device in: what two people do with two screens."""
    invitation = phone.invite(place, PASSPHRASE)
    print(f"phone shows the code {invitation.code}")
    waiting = threading.Thread(target=lambda: invitation.wait(60).confirm())
    waiting.start()

    def confirm(digits: str) -> bool:
        print(f"both show {digits}")
        return True

    laptop = EncryptedLocalStore.join(path, place, invitation.code, PASSPHRASE, confirm)
    waiting.join()
    return laptop


def main() -> None:
    """The story."""
    with tempfile.TemporaryDirectory() as directory:
        here = pathlib.Path(directory)
        (here / "shared").mkdir()
        place = f"folder:{here / 'shared'}"
        with EncryptedLocalStore(here / "phone.db", PASSPHRASE) as phone:
            with pair(phone, place, here / "laptop.db") as laptop:
                both = (phone, laptop, phone)
                phone.set_policy("notes", "user_choice")
                phone.store("milk", {"title": "Milk", "done": False}, "notes")
                for device in both:
                    IncrementalSync(device).sync(place)
                phone.patch("milk", {"done": True}, "notes")
                laptop.patch("milk", {"title": "Oat milk"}, "notes")
                for device in both:
                    IncrementalSync(device).sync(place)
                print("edits of two fields both stay:", laptop.retrieve("milk", "notes"))
                phone.patch("milk", {"title": "Goat milk"}, "notes")
                laptop.patch("milk", {"title": "Soy milk"}, "notes")
                for device in both:
                    IncrementalSync(device).sync(place)
                (found,) = phone.conflicts("notes")
                print("a person decides between", [side.value for side in found.sides])
                phone.resolve(found, found.sides[0])
                for device in both:
                    IncrementalSync(device).sync(place)
                if phone.digest() != laptop.digest() or laptop.conflicts():
                    raise SystemExit("the two devices differ")
                print("both devices hold the same:", laptop.retrieve("milk", "notes"))
        files = [path for path in here.rglob("*") if path.is_file()]
        if any(b"milk" in path.read_bytes() for path in files):
            raise SystemExit("plaintext was found")
        print(f"none of {len(files)} files holds a word of it")


if __name__ == "__main__":
    main()
