"""Who is alive and where: rosters, and the view one worker has of its peers."""
