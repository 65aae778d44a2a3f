# fill.pl BYTES: takes memory in steps until it is killed or has as much as said; prints after each
# step how much it has.
$| = 1;
my $step = 1 << 20;
for (my $had = 0; $had < $ARGV[0];) {
    push @memory, 'x' x $step;
    $had += $step;
    print "$had\n";
}
