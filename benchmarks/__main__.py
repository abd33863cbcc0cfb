"""`make bench`: relayd against Postfix + OpenDKIM, side by side, in one run."""

from benchmarks.run import main

main()
