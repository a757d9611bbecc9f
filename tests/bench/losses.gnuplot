# gnuplot -e "table='neurallosses.csv'; picture='neurallosses.png'" losses.gnuplot: iterations on held-out scenes while weights are trained
set terminal pngcairo size 900,560 font 'sans,11'
set output picture
set datafile separator ','
set logscale y
set ytics (10, 12, 15, 20, 30, 40)
set grid
set key top right
set xlabel 'CPU seconds of training'
set ylabel 'iterations on held-out scenes'
set title 'Losses, from the same start'
losses = system(sprintf("sed 1d '%s' | cut -d, -f1 | uniq", table))
shown(loss) = (strcol(1) eq loss && strlen(strcol(6)) ? column(6) : NaN)
set datafile missing NaN
plot for [l in losses] table using 3:(shown(l)) with linespoints linewidth 2 pointsize 0.6 title l
