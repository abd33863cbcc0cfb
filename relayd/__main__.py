from relayd.cli import main

main()
